import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { PROVIDER_NAMES } from '../../client/provider.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { says, text, time, version } from './schemas.ts'

/* How the own API shows a registry, and what it takes. */

export const provider = z.enum(PROVIDER_NAMES).openapi({ example: 'harbor' })
const address = z.string().openapi({
  description: 'With scheme, and port or path where there is one',
  example: 'https://harbor.example.com',
})
const region = z
  .string()
  .openapi({ description: 'Required for ecr, and for swr unless the address has it' })
const namespace = z.string().openapi({
  description: 'What stands before image names: organization, project, `project/repository`',
  example: 'payments',
})
const accessKey = z.string().openapi({ description: 'User name or access key id' })
const projects = z
  .array(z.string())
  .max(1_000, 'must have at most 1000 projects')
  .nullable()
  .openapi({ description: 'Names of those that may use it; null: all, also later ones' })

const syncCron = z.string().max(200, 'must have at most 200 characters').nullable().openapi({
  description: 'When its images are read besides daily at 01:00 UTC: five cron fields',
  example: '30 */6 * * *',
})
const syncTimeZone = z.string().max(64, 'must have at most 64 characters').openapi({
  description: 'In which `syncCron` is meant; `UTC` unless set',
  example: 'Asia/Shanghai',
})

export const RegistryView = z
  .object({
    id: z.string().openapi({ example: '69a42bc05f8d3e6b9c0a1d27' }),
    name: z.string().openapi({ example: 'harbor' }),
    provider,
    address,
    region,
    namespace,
    accessKey: accessKey
      .nullable()
      .openapi({ description: 'User name or access key id; null: not for you' }),
    hasSecret: z.boolean().openapi({ description: 'The secret itself is never shown' }),
    secretChangedAt: time.nullable(),
    verifyTls: z.boolean(),
    caCertificate: z
      .string()
      .nullable()
      .openapi({ description: 'PEM, the only roots that are trusted; null: those of the system' }),
    isDefault: z.boolean(),
    projects,
    notes: z.string(),
    origin: z.enum(['zadig', 'api', 'console', 'hss']),
    privateAllowed: z
      .boolean()
      .openapi({ description: 'Its host and port may be at a private address' }),
    runner: z.string().openapi({ description: 'Who speaks to it; `local`: this server' }),
    runnerHoldsSecret: z.boolean().openapi({ description: 'This server cannot open the secret' }),
    health: z.enum(['unknown', 'checking', 'ok', 'failing']),
    healthReason: z.string(),
    healthSays: says,
    checkedAt: time.nullable(),
    lastSuccessAt: time.nullable(),
    credentialExpiresAt: time.nullable().openapi({ description: 'null: not known, or never' }),
    imageCount: z.int(),
    latestSyncAt: time.nullable(),
    syncCron,
    syncTimeZone,
    createdAt: time,
    updatedAt: time,
    version,
  })
  .openapi('Registry')

export const UseView = z
  .object({
    kind: z.enum(['consumer', 'transfer', 'replication', 'proxy']),
    id: z.string(),
    what: z.string().openapi({ description: 'For people', example: 'project payments: build' }),
    project: z.string().nullable(),
    purpose: z.string().nullable(),
    environment: z.string().nullable(),
    lastUsedAt: time.nullable(),
    outdated: z.boolean().openapi({ description: 'Has the keys of before their last change' }),
  })
  .openapi('RegistryUse')

/** What may be changed later. */
export const changeable = {
  name: z.string().optional(),
  provider: provider.optional(),
  address: address.optional(),
  region: region.optional(),
  namespace: namespace.optional(),
  accessKey: accessKey.optional(),
  secretKey: z
    .string()
    .optional()
    .openapi({ description: 'Password, token or secret access key; empty: none', writeOnly: true }),
  verifyTls: z.boolean().optional().openapi({ description: 'On unless switched off' }),
  caCertificate: z.string().nullable().optional().openapi({ description: 'PEM' }),
  projects: projects.optional(),
  notes: text(4_096).optional(),
  runner: z.string().optional().openapi({
    description:
      'Who speaks to it: the id of a runner, or `local`; another one takes the secret again, which is encrypted to it at once',
  }),
  syncCron: syncCron.optional(),
  syncTimeZone: syncTimeZone.optional(),
}

export const creatable = {
  ...changeable,
  provider,
  address,
  isDefault: z.boolean().optional(),
}

/** What this caller may see of it. */
export function viewOf(
  registry: RegistryRecord,
  { isAdmin }: Principal,
): z.input<typeof RegistryView> {
  return {
    ...registry,
    accessKey: isAdmin ? registry.accessKey : null,
    projects: registry.allProjects ? null : registry.projects.map(({ name }) => name),
    notes: isAdmin ? registry.notes : '',
    runner: registry.connectClusterId,
    runnerHoldsSecret: registry.runnerKey !== null,
    imageCount: registry.imagesNum,
  }
}
