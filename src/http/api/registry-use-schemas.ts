import { z } from '@hono/zod-openapi'
import { PURPOSES } from '../../hub/use/handout-types.ts'
import { text, time } from './schemas.ts'

/* Bodies and answers of the hand-outs of registries, and of their trust. */

const KUBERNETES_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const KUBERNETES_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** One line: what goes into names, schedules and audit entries. */
const line = (max: number) =>
  text(max)
    .min(1)
    .regex(/^[^\t\n\r]*$/, 'must be one line')

const registry = line(128).optional().openapi({
  description: 'Id or name; `self` is Entrepot itself; left out: the default registry',
  example: 'harbor-main',
})
const purpose = z.enum(PURPOSES).openapi({
  description: '`update`: of the image of a service in an environment',
})
const environment = line(128)
  .optional()
  .openapi({ description: 'Environment or cluster that uses it', example: 'staging' })
const kubernetes = z
  .strictObject({
    namespace: z
      .string()
      .regex(KUBERNETES_LABEL, 'must be a name of lower-case letters, digits and "-"')
      .optional(),
    secretName: z
      .string()
      .max(253)
      .regex(KUBERNETES_NAME, 'must be a name of lower-case letters, digits, "-" and "."')
      .optional(),
  })
  .optional()
  .openapi({ description: 'For the manifests; names are chosen where none are given' })
const login = z
  .strictObject({ username: line(320), password: line(1_024) })
  .optional()
  .openapi({
    description:
      'With `self`: the robot or API token to use; else what the request came with, or a new token',
  })
const rule = line(512)
  .optional()
  .openapi({ example: '{{.IMAGE_NAME}}:{{.REPO_BRANCH}}-{{.TASK_ID}}' })

export const pullSecretBody = { registry, purpose, environment, kubernetes, login }
export const handoutBody = {
  ...pullSecretBody,
  image: line(1_024).optional().openapi({
    description: 'Name, without registry and namespace; `distribute`: the whole name of the source',
    example: 'app',
  }),
  build: z
    .strictObject({
      service: line(255).optional(),
      taskId: line(128).optional(),
      branch: line(1_024).optional(),
      gitTag: line(1_024).optional(),
      pullRequests: z.array(z.int().min(0)).max(100).optional(),
      commit: line(128).optional(),
    })
    .optional()
    .openapi({ description: 'What the tag of a build is made of' }),
  rules: z
    .strictObject({ tag: rule, branch: rule, pr: rule, prAndBranch: rule })
    .optional()
    .openapi({ description: 'Templates `name:tag` in place of the default rules' }),
}

const secret = z.string().openapi({ description: 'Secret' })
const DockerConfig = z
  .object({
    auths: z.record(z.string(), z.object({ username: z.string(), password: secret, auth: secret })),
  })
  .openapi('DockerConfig')

export const PullSecret = z
  .object({
    apiVersion: z.literal('v1'),
    kind: z.literal('Secret'),
    metadata: z.object({
      name: z.string(),
      namespace: z.string().optional(),
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()),
    }),
    type: z.literal('kubernetes.io/dockerconfigjson'),
    data: z.object({ '.dockerconfigjson': secret }),
  })
  .openapi('PullSecret')

export const Handout = z
  .object({
    registry: z.object({
      id: z.string(),
      name: z.string(),
      provider: z.string(),
      host: z.string(),
      namespace: z.string(),
      isDefault: z.boolean(),
    }),
    purpose,
    environment: z.string().nullable(),
    image: z.string().nullable().openapi({ example: 'harbor.example.com/shop/app:20260301' }),
    login: z
      .object({
        server: z.string(),
        username: z.string(),
        password: secret,
        expiresAt: time.nullable().openapi({ description: 'null: as long as the key behind it' }),
      })
      .nullable()
      .openapi({ description: 'null: the registry takes everybody' }),
    dockerConfig: DockerConfig,
    pullSecret: PullSecret.nullable(),
    refresher: z
      .object({
        expiresAt: time,
        everySeconds: z.int(),
        cronJob: z.string().openapi({ description: 'Kubernetes manifests, YAML' }),
        credentialProvider: z
          .string()
          .openapi({ description: 'CredentialProviderConfig of kubelet, YAML' }),
      })
      .nullable()
      .openapi({ description: 'null: the login does not expire' }),
    env: z.object({
      IMAGE: z.string(),
      DOCKER_REGISTRY_HOST: z.string(),
      DOCKER_REGISTRY_NAMESPACE: z.string(),
      DOCKER_REGISTRY_AK: z.string(),
      DOCKER_REGISTRY_SK: secret,
    }),
    shell: z
      .object({ env: secret, login: secret })
      .openapi({ description: 'Lines for a POSIX shell, quoted' }),
  })
  .openapi('RegistryHandout')

export const Trust = z
  .object({
    hosts: z
      .array(
        z.object({
          host: z.string(),
          url: z.string(),
          plainHttp: z.boolean(),
          insecure: z.boolean().openapi({ description: 'The certificate is not looked at' }),
          ca: z.string().optional().openapi({ description: 'PEM' }),
        }),
      )
      .openapi({ description: 'Those that clients would not trust by themselves' }),
    clients: z.array(
      z.object({
        client: z.enum(['docker', 'containerd', 'podman', 'buildkit']),
        files: z.array(
          z.object({
            path: z.string(),
            content: z.string(),
            merge: z.boolean().openapi({ description: 'To be joined with what is there' }),
          }),
        ),
        apply: z.object({ action: z.enum(['none', 'reload', 'restart']), what: z.string() }),
      }),
    ),
  })
  .openapi('RegistryTrust')
