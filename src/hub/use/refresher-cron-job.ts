import { stringify } from 'yaml'
import type { RefreshSchedule } from './refresh-schedule.ts'

/*
 * Keeps a pull secret good whose login expires: a CronJob asks Entrepot for the secret and writes it
 * over the old one. It may read and patch that one Secret and nothing else, and takes its own login
 * from a Secret that the operator makes, so nothing in here is secret.
 */

/** What the refresher asks, and what it keeps up. */
export interface RefresherTarget {
  /** Of Entrepot, as the cluster reaches it: `https://registry.example.com`. */
  entrepotUrl: string
  project: string
  /** Body of the request for the pull secret; JSON. */
  request: object
  secretName: string
  /** undefined: where `kubectl apply` is told to. */
  kubernetesNamespace: string | undefined
  schedule: RefreshSchedule
}

/** Holds `username` and `password` of a robot of the project; made by hand, once. */
export const REFRESHER_LOGIN = 'entrepot-refresher-login'

const IMAGE = 'curlimages/curl:8.11.1'
const RUN_LIMIT_SECONDS = 120
/** Names of CronJobs end in 52 characters: Kubernetes adds the time to make those of the Jobs. */
const MOST = 52

/*
 * Logins go to curl by a file descriptor and not as arguments, which every process could see. The
 * answer must be the Secret itself before anything is written.
 */
const SCRIPT = `set -eu
umask 077
cluster=/var/run/secrets/kubernetes.io/serviceaccount
{
  printf 'user = "%s:%s"\\n' "$(cat /login/username)" "$(cat /login/password)"
} | curl --config - --fail --silent --show-error --max-time 30 --retry 3 \\
  --header 'Content-Type: application/json' --data "$REQUEST" \\
  --output /scratch/secret.json "$ENTREPOT_URL/api/v1/projects/$PROJECT/handouts/pull-secret"
grep -q '"kind":"Secret"' /scratch/secret.json
{
  printf 'header = "Authorization: Bearer %s"\\n' "$(cat $cluster/token)"
} | curl --config - --fail --silent --show-error --max-time 30 --retry 3 \\
  --cacert $cluster/ca.crt --request PATCH --output /dev/null \\
  --header 'Content-Type: application/merge-patch+json' --data-binary @/scratch/secret.json \\
  "https://kubernetes.default.svc/api/v1/namespaces/$NAMESPACE/secrets/$SECRET_NAME"
`

/** The manifests as YAML: ServiceAccount, Role, RoleBinding and CronJob. */
export function refresherCronJob(target: RefresherTarget): string {
  return refresherManifests(target)
    .map((manifest) => stringify(manifest, { lineWidth: 0 }))
    .join('---\n')
}

function refresherManifests(target: RefresherTarget): object[] {
  const { secretName, kubernetesNamespace, schedule } = target
  const name = jobName(secretName)
  const metadata = {
    name,
    ...(kubernetesNamespace === undefined ? {} : { namespace: kubernetesNamespace }),
    labels: { 'app.kubernetes.io/managed-by': 'entrepot' },
  }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules: [
        {
          apiGroups: [''],
          resources: ['secrets'],
          resourceNames: [secretName],
          verbs: ['get', 'patch'],
        },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      // Without a namespace it is that of the binding only where kubectl fills it in.
      subjects: [
        {
          kind: 'ServiceAccount',
          name,
          ...(kubernetesNamespace === undefined ? {} : { namespace: kubernetesNamespace }),
        },
      ],
    },
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata,
      spec: {
        schedule: schedule.cron,
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: Math.floor(schedule.everyMs / 1000),
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: {
          spec: {
            backoffLimit: 3,
            activeDeadlineSeconds: RUN_LIMIT_SECONDS,
            template: { spec: podSpec(name, target) },
          },
        },
      },
    },
  ]
}

function podSpec(serviceAccountName: string, target: RefresherTarget): object {
  return {
    serviceAccountName,
    restartPolicy: 'Never',
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      // So that the login, which only its owner and group may read, can be read.
      fsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'refresh',
        image: IMAGE,
        command: ['/bin/sh', '-c', SCRIPT],
        env: [
          { name: 'ENTREPOT_URL', value: target.entrepotUrl },
          { name: 'PROJECT', value: target.project },
          { name: 'REQUEST', value: JSON.stringify(target.request) },
          { name: 'SECRET_NAME', value: target.secretName },
          {
            name: 'NAMESPACE',
            valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } },
          },
        ],
        resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'login', mountPath: '/login', readOnly: true },
          { name: 'scratch', mountPath: '/scratch' },
        ],
      },
    ],
    volumes: [
      { name: 'login', secret: { secretName: REFRESHER_LOGIN, defaultMode: 0o440 } },
      { name: 'scratch', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ],
  }
}

/** `default-registry-secret` → `default-registry-secret-refresher`; ids keep long ones apart. */
function jobName(secretName: string): string {
  const suffix = '-refresher'
  const short = secretName.replace(/-registry-secret$/, '')
  const kept = secretName.length + suffix.length <= MOST ? secretName : short
  return `${kept.slice(-(MOST - suffix.length)).replace(/^[-.]+/, '')}${suffix}`
}
