import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { databaseSchema } from './config-schema-database.ts'
import { storageSchema } from './config-schema-storage.ts'
import {
  address,
  addressRanges,
  duration,
  flag,
  integer,
  oneOf,
  origin,
  text,
  timeZone,
} from './config-values.ts'

/** What is said about a setting besides its form. */
interface SettingMeta {
  /** One or two sentences for the reference. */
  description: string
  /** Shown in the reference where the default depends on the machine. */
  shownDefault?: string
  /** Never printed; may be given as a file, `…_FILE`. `url`: only the password inside is secret. */
  secret?: true | 'url'
  /** The flag of `serve` that sets it too, as commander takes it. */
  flag?: string
}

/** Workers: more than four bring nothing, they wait for the same disk and database. */
const defaultWorkers = process.platform === 'linux' ? Math.min(availableParallelism(), 4) : 1

/**
 * Every setting: its form, its default and its meaning. What operators change while Entrepot runs
 * (registries, users, policies) is no setting, it lives in the database.
 */
export const configSchema = z.object({
  listen: z.object({
    address: address()
      .prefault('127.0.0.1:5000')
      .meta({
        description:
          'Address and port to serve on. `0.0.0.0:5000` or `[::]:5000` is reachable from other ' +
          'machines; port 0 takes a free one. In the file also short: `listen: 0.0.0.0:5000`.',
        flag: '--listen <address>',
      }),
    tls: z.object({
      cert: text('the path of a file').optional().meta({
        description:
          'Certificate chain, PEM, the own certificate first. Read again when the file changes.',
      }),
      key: text('the path of a file').optional().meta({
        description: 'Private key of the certificate, PEM. Read again when the file changes.',
      }),
      selfSigned: flag()
        .prefault(false)
        .meta({
          description:
            'Serve HTTPS with a certificate made at the start, `tls/self-signed.crt` in the data ' +
            'folder, for localhost, the name of this machine and the address of `listen`.',
          flag: '--tls-self-signed',
        }),
    }),
  }),
  data: text('the path of a folder').prefault('./data').meta({
    description:
      'Folder of everything that Entrepot keeps on disk. Created readable by its owner only.',
    flag: '--data <folder>',
  }),
  publicUrl: origin()
    .optional()
    .meta({
      description:
        'Address under which clients reach Entrepot, such as `https://registry.example.com`. ' +
        'Without it, links and the token realm follow the scheme and host of each request.',
    }),
  workers: integer({ min: 1, max: 64 }).prefault(defaultWorkers).meta({
    description: 'Processes that serve requests, all on the same port.',
    flag: '--workers <count>',
    shownDefault: 'cores of the machine, at most 4, on Linux; 1 elsewhere',
  }),
  database: databaseSchema,
  storage: storageSchema,
  adminPassword: text('a password')
    .optional()
    .meta({
      description:
        'Password of the first administrator, `admin`. Used at the first start only; without it ' +
        'one is generated and printed once.',
      secret: true,
    }),
  sealingKey: text('32 bytes in base64 (openssl rand -base64 32)', /^[A-Za-z\d+/]{43}=$/)
    .optional()
    .meta({
      description:
        'Key that seals the secrets in the database, 32 bytes in base64. Without it the file ' +
        '`sealing.key` in the data folder, made at the first start. Several replicas need the same one.',
      secret: true,
    }),
  access: z.object({
    anonymousWrite: flag()
      .prefault(false)
      .meta({
        description:
          'Everybody may push to, delete in and create public projects without signing in. For ' +
          'tests and closed networks only.',
      }),
  }),
  projects: z.object({
    creators: oneOf('all', 'admins')
      .prefault('all')
      .meta({
        description:
          'Who may create projects, also by pushing to one that does not exist: `all` users or ' +
          'system `admins` only. Never robots, never anonymous.',
      }),
    publicByDefault: flag().prefault(false).meta({
      description: 'Projects that a push creates can be pulled from without signing in.',
    }),
  }),
  tokens: z.object({
    lifetime: duration({ min: '60s', max: '1h' }).prefault('300s').meta({
      description:
        'How long a token of `/token` is valid. Revoked rights end sooner, within 5 seconds.',
    }),
  }),
  console: z.object({
    enabled: flag().prefault(true).meta({
      description: 'Serve the web console at `/`. Without it only the programming interfaces.',
    }),
  }),
  sessions: z.object({
    idleTimeout: duration({ min: '5m', max: '30d' }).prefault('12h').meta({
      description: 'A sign-in of the console that nobody used for this long ends.',
    }),
    lifetime: duration({ min: '5m', max: '365d' }).prefault('7d').meta({
      description: 'A sign-in of the console ends after this time, however busy.',
    }),
  }),
  uploads: z.object({
    idleTimeout: duration({ min: '10s', max: '1h' }).prefault('5m').meta({
      description: 'A request that brings no byte of its upload for this long is ended.',
    }),
    expireAfter: duration({ min: '1h', max: '90d' }).prefault('168h').meta({
      description: 'Unfinished uploads are removed when nothing was added for this long.',
    }),
    openPerAccount: integer({ min: 10, max: 1_000_000 })
      .prefault(1_000)
      .meta({
        description:
          'Uploads that a user or robot may have unfinished at the same time, about; all who did not ' +
          'sign in count as one. Each that is pushed has one for a moment, so this is far above what ' +
          'builds need. Where it is reached, those that were not used for an hour give way; then ' +
          'no more can be begun (429).',
      }),
  }),
  manifests: z.object({
    sparse: flag()
      .prefault(false)
      .meta({
        description:
          'Take images whose layers were not pushed (with a warning), for mirrors that leave ' +
          'some out. Otherwise such a push is refused, so that every image here can be pulled. ' +
          'Indexes may always lack some of their images.',
      }),
  }),
  ccr: z.object({
    timeZone: timeZone()
      .prefault('Asia/Shanghai')
      .meta({
        description:
          'Time zone in which lists of the CCR OpenAPI (`/api/ccr`) show times, which do not say it ' +
          'themselves. Programs written for CCR expect the default.',
      }),
  }),
  zadig: z.object({
    enableTlsDefault: flag()
      .prefault(true)
      .meta({
        description:
          'What `enable_tls` means when a call of the Zadig OpenAPI (`/openapi/system/registry`) ' +
          'leaves it out while it adds a registry. Zadig itself looks at no certificate then; ' +
          '`false` does the same.',
      }),
  }),
  hub: z.object({
    allowedNetworks: addressRanges()
      .prefault([])
      .meta({
        description:
          'Addresses and CIDR ranges that Entrepot may ask for external registries although they ' +
          'are loopback, link-local or otherwise special. One on a private address (RFC 1918, ULA) ' +
          'needs no entry: who adds it allows that host and port.',
      }),
  }),
  transfers: z.object({
    atOnce: integer({ min: 1, max: 64 }).prefault(4).meta({
      description: 'Images that one server copies between registries at the same time.',
    }),
    perRegistry: integer({ min: 1, max: 64 })
      .prefault(2)
      .meta({
        description:
          'Images that are copied from or to the same registry of others at the same time, by all ' +
          'servers together. The rest waits, so that it does not run into the limits of the registry.',
      }),
    lease: duration({ min: '2s', max: '5m' })
      .prefault('30s')
      .meta({
        description:
          'When the server that copies an image says nothing for this long, another one, or the ' +
          'same after its restart, goes on with it.',
      }),
  }),
  trustedProxies: addressRanges()
    .prefault([])
    .meta({
      description:
        'Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed, as addresses or ' +
        'CIDR ranges. From anybody else these headers are ignored.',
    }),
  shutdown: z.object({
    delay: duration({ min: '0s', max: '5m' })
      .prefault('0s')
      .meta({
        description:
          'After a stop began, requests are still taken for this long while `/readyz` already ' +
          'says no, so that load balancers look away first.',
      }),
    grace: duration({ min: '0s', max: '1h' }).prefault('30s').meta({
      description: 'Running transfers may take this long to finish when Entrepot is stopped.',
    }),
  }),
  log: z.object({
    level: oneOf('debug', 'info', 'warn', 'error').prefault('info').meta({
      description: 'The least important lines that are written.',
    }),
    format: oneOf('auto', 'json', 'pretty').prefault('auto').meta({
      description: '`auto` is `pretty` in a terminal and `json` elsewhere.',
    }),
  }),
  metrics: z.object({
    public: flag().prefault(false).meta({
      description:
        'Everybody may read `/metrics`. Otherwise system administrators and who has the token.',
    }),
    token: text('at least 16 characters', /^\S{16,}$/)
      .optional()
      .meta({
        description: 'Bearer token with which Prometheus may read `/metrics`.',
        secret: true,
      }),
  }),
})

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** The settings in effect, frozen. Durations are milliseconds, paths are absolute. */
export type Config = DeepReadonly<z.output<typeof configSchema>>

/** One setting: the end of a path through the schema. */
export interface Setting {
  /** `listen.tls.selfSigned` */
  key: string
  path: string[]
  /** `ENTREPOT_LISTEN_TLS_SELF_SIGNED` */
  variable: string
  schema: z.ZodType
  meta: SettingMeta
}

/** All settings in the order of the schema. */
export const SETTINGS: Setting[] = listSettings(configSchema, [])

function listSettings(schema: z.ZodObject, path: string[]): Setting[] {
  return Object.entries(schema.shape).flatMap(([name, entry]) => {
    const inner = [...path, name]
    if (entry instanceof z.ZodObject) return listSettings(entry, inner)
    if (!(entry instanceof z.ZodType)) return []
    const meta = entry.meta() as SettingMeta | undefined
    if (!meta) throw new Error(`the setting ${inner.join('.')} has no description`)
    return [{ key: inner.join('.'), path: inner, variable: variableOf(inner), schema: entry, meta }]
  })
}

/** The values of all settings in the form of the file; every section is there, even if empty. */
export function nestSettings(pick: (setting: Setting) => unknown): Record<string, unknown> {
  const tree: Record<string, unknown> = {}
  for (const setting of SETTINGS) place(tree, setting.path, pick(setting))
  return tree
}

function place(tree: Record<string, unknown>, path: string[], value: unknown): void {
  const [name = '', ...rest] = path
  if (rest.length === 0) {
    if (value !== undefined) tree[name] = value
    return
  }
  tree[name] ??= {}
  place(tree[name] as Record<string, unknown>, rest, value)
}

/** `publicUrl` → `ENTREPOT_PUBLIC_URL`; the address of `listen` is short, as it is typed often. */
function variableOf(path: string[]): string {
  const short = path.join('.') === 'listen.address' ? ['listen'] : path
  const words = short.map((name) => name.replaceAll(/[A-Z]/g, (capital) => `_${capital}`))
  return `ENTREPOT_${words.join('_').toUpperCase()}`
}
