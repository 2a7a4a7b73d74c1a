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
