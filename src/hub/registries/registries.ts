import type { Endpoint } from '../../client/provider.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Sealer } from '../../lib/secrets.ts'
import type { Also, Db } from '../../store/db/database.ts'
import { LOCAL } from '../runners/identity.ts'
import { hostAndPort, spokenAddress } from './address.ts'
import {
  countRegistries,
  listRegistries,
  type RegistryFilter,
  type RegistryPage,
  readSealed,
} from './list.ts'
import type { RegistryRecord } from './record.ts'
import { resolveRegistry } from './scope.ts'
import { checkSecret, checkSettings, type RegistrySettings } from './settings.ts'
import {
  type Consumption,
  consumersOf,
  recordConsumer,
  registryUnknown,
  type Use,
  type UseSource,
  usesOf,
} from './uses.ts'
import { createRegistryWrites, type RegistryWrites, type WriteOptions } from './write.ts'

/** What it takes to speak to a registry; never leaves the process. */
export interface Reachable {
  endpoint: Endpoint
  /** `host:port` that may be at a private address; undefined: public ones only. */
  privateHost: string | undefined
}

export interface OpenedRegistry extends Reachable {
  registry: RegistryRecord
}

export interface Registries extends RegistryWrites {
  /** undefined: there is none, or not for those who ask. */
  get(id: string, visibleTo?: number | null): Promise<RegistryRecord | undefined>
  /** In the order of creation. */
  list(page: RegistryPage): Promise<RegistryRecord[]>
  count(filter: RegistryFilter): Promise<number>
  /** What a call of this project means by a name, an id or nothing: see `resolveRegistry`. */
  resolve(project: { id: number; name: string }, asked: string | undefined): Promise<RegistryRecord>
  /** What these settings would be, without storing them. @throws AppError invalid_input */
  draft(settings: RegistrySettings, options: Pick<WriteOptions, 'mayUsePrivate'>): Reachable
  /** The only place where a secret is opened. @throws AppError not_found, denied */
  open(id: string): Promise<OpenedRegistry>
  uses(id: string): Promise<Use[]>
  /** Remembers a hand-out. @throws AppError not_found */
  recordUse(consumption: Consumption, also?: Also): Promise<void>
  /** Forgets a consumer that is gone. @throws AppError not_found */
  forgetUse(registry: string, consumer: number, also?: Also<Use>): Promise<void>
}

export interface RegistriesDeps {
  db: Db
  clock: Clock
  sealer: Sealer
  /** Besides consumers: transfers, rules, proxies. */
  useSources?: readonly UseSource[]
  /** In the transaction of every creation, and of every update: tests and syncs begin here. */
  whenChanged?: Also<RegistryRecord>
}

/** The integrated registries: their records, the default among them, who may and does use them. */
export function createRegistries(deps: RegistriesDeps): Registries {
  const { db, clock, sealer, useSources = [], whenChanged } = deps
  const sources = [consumersOf, ...useSources]

  return {
    ...createRegistryWrites({ db, clock, sealer, useSources: sources, whenChanged }),

    async get(id, visibleTo) {
      const [registry] = await listRegistries(db.query, { id, visibleTo })
      return registry
    },
    list: (page) => listRegistries(db.query, page),
    count: (filter) => countRegistries(db.query, filter),

    resolve: (project, asked) => resolveRegistry(db.query, project, asked),

    draft(settings, { mayUsePrivate }) {
      const checked = checkSettings(settings)
      const { secret = '' } = settings
      checkSecret(secret)
      return reachableBy(
        {
          ...checked,
          accessKey: checked.access_key,
          verifyTls: checked.verify_tls === 1,
          caCertificate: checked.ca_certificate,
          privateAllowed: mayUsePrivate,
        },
        secret,
      )
    },

    async open(id) {
      const found = await readSealed(db.query, id)
      if (!found) throw registryUnknown(id)
      const { registry, sealed } = found
      if (registry.runnerKey !== null || registry.connectClusterId !== LOCAL) {
        throw new AppError(
          'denied',
          `only the runner "${registry.connectClusterId}" can speak to the registry "${registry.name}", and nothing else can open its password; to use it from here, set the runner to "local" and give the password again`,
          because('registry_only_by_runner', {
            name: registry.connectClusterId,
            registry: registry.name,
          }),
        )
      }
      const secretKey = sealed === null ? '' : await sealer.openText(sealed)
      return { registry, ...reachableBy(registry, secretKey) }
    },

    async uses(id) {
      const [registry] = await listRegistries(db.query, { id })
      if (!registry) throw registryUnknown(id)
      return usesOf(db.query, id, sources)
    },

    recordUse: (consumption, also) => recordConsumer({ db, clock }, consumption, also),

    async forgetUse(registry, consumer, also) {
      await db.transaction(async (tx) => {
        const uses = await consumersOf(tx, registry)
        const use = uses.find(({ id }) => id === String(consumer))
        if (!use) throw new AppError('not_found', `registry ${registry} has no use ${consumer}`)
        await tx.deleteFrom('consumer').where('id', '=', consumer).execute()
        await also?.(tx, use)
      })
    },
  }
}

function reachableBy(
  registry: Pick<
    RegistryRecord,
    | 'provider'
    | 'address'
    | 'region'
    | 'namespace'
    | 'accessKey'
    | 'verifyTls'
    | 'caCertificate'
    | 'privateAllowed'
  > &
    Partial<Pick<RegistryRecord, 'apiVersion'>>,
  secretKey: string,
): Reachable {
  const { provider, region, namespace, accessKey, verifyTls, caCertificate, apiVersion } = registry
  const address = spokenAddress(provider, registry.address)
  return {
    privateHost: registry.privateAllowed ? hostAndPort(address) : undefined,
    endpoint: {
      provider,
      address,
      accessKey,
      secretKey,
      verifyTls,
      ...(region === '' ? {} : { region }),
      ...(namespace === '' ? {} : { namespace }),
      ...(caCertificate === null ? {} : { caCertificate }),
      ...(apiVersion === undefined ? {} : { apiVersion }),
    },
  }
}
