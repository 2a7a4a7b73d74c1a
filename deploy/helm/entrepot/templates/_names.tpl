{{- define "entrepot.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "entrepot.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "entrepot.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "entrepot.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "entrepot.selector" -}}
app.kubernetes.io/name: {{ include "entrepot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "entrepot.labels" -}}
{{ include "entrepot.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "entrepot.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "entrepot.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "entrepot.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
{{- end -}}

{{/* With the container's below, what the standard "restricted" for pods asks for. */}}
{{- define "entrepot.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "entrepot.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The ingress leaves little doubt about it where it has a certificate. */}}
{{- define "entrepot.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{- .Values.publicUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.tlsSecret -}}
{{- printf "https://%s" .Values.ingress.host -}}
{{- end -}}
{{- end -}}

{{/*
What is read from secrets, each as a file: as a variable it would keep the line break that ends most
files given to `kubectl create secret --from-file`.
*/}}
{{- define "entrepot.secrets" -}}
{{- $s3 := .Values.storage.s3 -}}
{{- with .Values.database }}
- { variable: ENTREPOT_DATABASE_URL, name: {{ quote .existingSecret }}, key: {{ quote .key }} }
{{- end }}
{{- with .Values.sealing }}
- { variable: ENTREPOT_SEALING_KEY, name: {{ quote .existingSecret }}, key: {{ quote .key }} }
{{- end }}
{{- with .Values.admin }}
- { variable: ENTREPOT_ADMIN_PASSWORD, name: {{ quote .existingSecret }}, key: {{ quote .key }} }
{{- end }}
{{- with .Values.metrics }}
- { variable: ENTREPOT_METRICS_TOKEN, name: {{ quote .existingSecret }}, key: {{ quote .key }} }
{{- end }}
- variable: ENTREPOT_STORAGE_S3_SECRET_ACCESS_KEY
  name: {{ ternary $s3.existingSecret "" (ne $s3.bucket "") | quote }}
  key: {{ quote $s3.secretAccessKeyKey }}
{{- end -}}

{{/* "yes" where replicas keep nothing of their own. */}}
{{- define "entrepot.stateless" -}}
{{- if and .Values.database.existingSecret .Values.storage.s3.bucket .Values.sealing.existingSecret -}}yes{{- end -}}
{{- end -}}

{{/* "yes" where there may be more than one replica. */}}
{{- define "entrepot.many" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}yes{{- end -}}
{{- end -}}

{{- define "entrepot.check" -}}
{{- if and (include "entrepot.many" .) (not (include "entrepot.stateless" .)) -}}
{{- fail "more than one replica needs database.existingSecret, storage.s3.bucket and sealing.existingSecret" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.existingSecret) -}}
{{- fail "metrics.serviceMonitor needs metrics.existingSecret, the token to read /metrics with" -}}
{{- end -}}
{{- end -}}
