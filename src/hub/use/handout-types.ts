import type { Login } from '../../client/provider.ts'
import type { BuildEnv } from './build-env.ts'
import type { DockerConfig } from './docker-login.ts'
import type { BuildFacts, NamingRules } from './naming-rules.ts'
import type { PullSecret } from './pull-secret.ts'

/** What one wants a registry for: the steps of the settings page that Zadig's users know. */
export const PURPOSES = ['build', 'deploy', 'distribute', 'update'] as const
export type Purpose = (typeof PURPOSES)[number]

export interface HandoutRequest {
  project: { id: number; name: string }
  /** Id, name, or `self`; left out: the default. */
  registry?: string | undefined
  purpose: Purpose
  /** Environment or cluster, as people call it. */
  environment?: string | undefined
  /** `app`, `app:1.2`; for a distribution the whole name of the source. */
  image?: string | undefined
  /** For the name of what is built; with the purpose `build` alone. */
  build?: Omit<BuildFacts, 'image' | 'project' | 'environment' | 'at'> | undefined
  rules?: NamingRules | undefined
  /** For the Kubernetes Secret. */
  kubernetesNamespace?: string | undefined
  secretName?: string | undefined
}

/** Who asks, and where they reached us. */
export interface HandoutCaller {
  account: number | null
  /** `https://registry.example.com`. */
  origin: string
  /** A login to Entrepot itself that may be passed on. */
  ownLogin(): Promise<Login>
}

export interface Handout {
  registry: {
    /** 24 hex digits, or `self`. */
    id: string
    name: string
    provider: string
    /** In front of image names. */
    host: string
    namespace: string
    isDefault: boolean
  }
  purpose: Purpose
  environment: string | null
  /** `host/[namespace/]image:tag`; null: none was asked for. */
  image: string | null
  /** null: the registry takes everybody. */
  login: {
    /** For `docker login`, and the key in its configuration. */
    server: string
    username: string
    password: string
    /** Epoch milliseconds; null: as long as the key behind it. */
    expiresAt: number | null
  } | null
  dockerConfig: DockerConfig
  /** null: none is needed. */
  pullSecret: PullSecret | null
  /** Keeps the pull secret good; null: the login does not expire. */
  refresher: Refresher | null
  env: BuildEnv
  /** Lines for a POSIX shell. */
  shell: { env: string; login: string }
}

export interface Refresher {
  /** Of the login that it renews, epoch milliseconds. */
  expiresAt: number
  everySeconds: number
  /** Manifests as YAML. */
  cronJob: string
  /** `CredentialProviderConfig` for kubelet, as YAML. */
  credentialProvider: string
}
