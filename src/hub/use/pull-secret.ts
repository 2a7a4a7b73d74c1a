import type { DockerConfig } from './docker-login.ts'

/* A Kubernetes Secret that kubelets pull with (`kubernetes.io/dockerconfigjson`). */

export interface PullSecret {
  apiVersion: 'v1'
  kind: 'Secret'
  metadata: {
    name: string
    namespace?: string
    labels: Record<string, string>
    annotations: Record<string, string>
  }
  type: 'kubernetes.io/dockerconfigjson'
  data: { '.dockerconfigjson': string }
}

/** Whose secret it is. */
export interface SecretOwner {
  /** 24 hex digits; `self`: Entrepot's own. */
  id: string
  name: string
  isDefault: boolean
}

/** Of the default registry, as workloads that Zadig deployed refer to it. */
const DEFAULT_NAME = 'default-registry-secret'
const SUFFIX = '-registry-secret'
/** Names of Secrets are subdomains (RFC 1123), this many characters at most. */
const MOST = 253

/**
 * The name of a registry's pull secret. It holds the registry's id: names and namespaces of two
 * registries may be alike, and upstream's secrets then overwrote each other.
 */
export function pullSecretName({ id, name, isDefault }: SecretOwner): string {
  if (isDefault) return DEFAULT_NAME
  const tail = `${id.toLowerCase()}${SUFFIX}`
  const words =
    name
      .toLowerCase()
      .match(/[a-z0-9]+/g)
      ?.join('-') ?? ''
  const start = words.slice(0, MOST - tail.length - 1).replace(/-$/, '')
  return start === '' ? tail : `${start}-${tail}`
}

/**
 * @param secretName in place of `pullSecretName`
 * @param kubernetesNamespace where it goes; left out: where `kubectl apply` is told to
 * @param expiresAt epoch milliseconds; stands in the annotations, for people and monitors
 */
export function pullSecret(
  owner: SecretOwner,
  config: DockerConfig,
  options: {
    secretName?: string | undefined
    kubernetesNamespace?: string | undefined
    expiresAt?: number | undefined
  } = {},
): PullSecret {
  const { secretName, kubernetesNamespace, expiresAt } = options
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: secretName ?? pullSecretName(owner),
      ...(kubernetesNamespace === undefined ? {} : { namespace: kubernetesNamespace }),
      labels: { 'app.kubernetes.io/managed-by': 'entrepot' },
      annotations: {
        'entrepot/registry': owner.id,
        ...(expiresAt === undefined
          ? {}
          : { 'entrepot/expires-at': new Date(expiresAt).toISOString() }),
      },
    },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify(config)).toString('base64') },
  }
}
