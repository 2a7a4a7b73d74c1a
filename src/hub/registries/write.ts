import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { newHex } from '../../lib/ids.ts'
import { because } from '../../lib/reasons.ts'
import type { Sealer } from '../../lib/secrets.ts'
import type { Also, Db, Queryable, Tx } from '../../store/db/database.ts'
import { LOCAL } from '../runners/identity.ts'
import { demandRunner, sealToRunner } from '../runners/keys.ts'
import { hostAndPort } from './address.ts'
import { isAnotherElectable, lockDefault, pointTo, promote } from './default.ts'
import { listRegistries } from './list.ts'
import { demandFreeName, freeName } from './names.ts'
import type { RegistryRecord } from './record.ts'
import { writeProjects } from './scope.ts'
import {
  type CheckedSettings,
  checkName,
  checkSecret,
  checkSettings,
  demandSecretAgain,
  type RegistrySettings,
} from './settings.ts'
import { demandUnused, registryUnknown, type UseSource, usesOf } from './uses.ts'

export interface NewRegistry extends RegistrySettings {
  origin: RegistryRecord['origin']
  createdBy: number | null
}

/** Of whoever changes a registry. */
export interface WriteOptions {
  /** A system administrator: the host and port may be at a private address. */
  mayUsePrivate: boolean
  /** What the caller has seen; the change is refused when it is out of date. */
  version?: number | undefined
}

export interface RemoveOptions {
  version?: number | undefined
  /** Id of what becomes the default when this one was. */
  successor?: string | undefined
}

export interface ChangedRegistry {
  registry: RegistryRecord
  previous: RegistryRecord
}

/** The changes of records, each in one transaction, one after the other. */
export interface RegistryWrites {
  /**
   * The first that may be elected becomes the default.
   * @throws AppError invalid_input, conflict (name)
   */
  create(
    input: NewRegistry,
    options: WriteOptions,
    also?: Also<RegistryRecord>,
  ): Promise<RegistryRecord>
  /**
   * Changes what is given and keeps the rest.
   * @throws AppError not_found, precondition_failed, invalid_input, conflict (name)
   */
  update(
    id: string,
    change: Partial<RegistrySettings>,
    options: WriteOptions,
    also?: Also<ChangedRegistry>,
  ): Promise<RegistryRecord>
  /** Makes it the default. @throws AppError not_found, invalid_input */
  promote(id: string, also?: Also<ChangedRegistry>): Promise<RegistryRecord>
  /** @throws AppError not_found, precondition_failed, in_use, invalid_input (successor) */
  remove(id: string, options: RemoveOptions, also?: Also<RegistryRecord>): Promise<void>
}

export function createRegistryWrites(deps: {
  db: Db
  clock: Clock
  sealer: Sealer
  useSources: readonly UseSource[]
  whenChanged: Also<RegistryRecord> | undefined
}): RegistryWrites {
  const { db, clock, sealer, useSources, whenChanged } = deps

  /** Encrypted to whoever speaks to the registry: its runner, or this server. */
  async function sealed(secret: string | undefined, settings: CheckedSettings) {
    if (secret === undefined) return undefined
    checkSecret(secret)
    if (secret === '') return { sealed_secret: null, runner_key: null }
    const runner = settings.connect_cluster_id
    if (runner === LOCAL) return { sealed_secret: await sealer.seal(secret), runner_key: null }
    const { provider, address } = settings
    return sealToRunner(db.query, runner, secret, {
      provider,
      address,
      verifyTls: settings.verify_tls === 1,
      caCertificate: settings.ca_certificate,
    })
  }

  return {
    async create(input, { mayUsePrivate }, also) {
      const settings = checkSettings(input)
      const secret = await sealed(input.secret, settings)
      const name = input.name === undefined ? undefined : checkName(input.name)
      const projects = input.projects ?? 'all'
      const enterpriseProjectId = settings.enterprise_project_id
      const runner = settings.connect_cluster_id
      const electable = input.origin !== 'hss' && runner === LOCAL
      return db.transaction(async (tx) => {
        const pointer = await lockDefault(db, tx)
        await demandRunner(tx, runner, { projects, runnerKey: secret?.runner_key })
        const scope = { projects, enterpriseProjectId }
        if (name !== undefined) await demandFreeName(tx, name, scope)
        const now = clock()
        const id = newId(now)
        await tx
          .insertInto('registry')
          .values({
            id,
            name: name ?? (await freeName(tx, settings, scope)),
            ...settings,
            sealed_secret: null,
            runner_key: null,
            ...secret,
            secret_changed_at: now,
            all_projects: projects === 'all' ? 1 : 0,
            origin: input.origin,
            electable: electable ? 1 : 0,
            private_allowed: mayUsePrivate ? 1 : 0,
            created_by: input.createdBy,
            created_at: now,
            updated_at: now,
          })
          .execute()
        await writeProjects(tx, id, projects)
        if (input.isDefault) await promote(tx, await read(tx, id))
        else if (electable && pointer === null) await pointTo(tx, id)
        const registry = await read(tx, id)
        await whenChanged?.(tx, registry)
        await also?.(tx, registry)
        return registry
      })
    },

    async update(id, change, { mayUsePrivate, version }, also) {
      const before = await read(db.query, id, version)
      // Encrypting is no statement, so it comes first, and the transaction looks whether it still fits.
      const secret = await sealed(change.secret, checkSettings(change, before))
      return db.transaction(async (tx) => {
        await lockDefault(db, tx)
        const previous = await read(tx, id, secret ? before.version : version)
        const settings = checkSettings(change, previous)
        const runner = settings.connect_cluster_id
        if (!secret) demandSecretAgain(previous, settings)
        if (previous.isDefault) {
          if (change.isDefault === false) throw mustHaveSuccessor(previous, 'unset')
          if (runner !== LOCAL) throw mustHaveSuccessor(previous, 'handed to a runner')
        }
        const { projects = previous.allProjects ? 'all' : idsOf(previous) } = change
        if (secret || change.projects !== undefined || runner !== previous.connectClusterId) {
          await demandRunner(tx, runner, { projects, runnerKey: secret?.runner_key })
        }
        const name = change.name === undefined ? previous.name : checkName(change.name)
        const enterpriseProjectId = settings.enterprise_project_id
        await demandFreeName(tx, name, { id, projects, enterpriseProjectId })
        const now = clock()
        const hasNewKeys = secret !== undefined || settings.access_key !== previous.accessKey
        await tx
          .updateTable('registry')
          .set((eb) => ({
            ...settings,
            ...secret,
            name,
            all_projects: projects === 'all' ? 1 : 0,
            ...(hasNewKeys ? { secret_changed_at: later(previous.secretChangedAt, now) } : {}),
            ...(runner === LOCAL ? {} : { electable: 0 }),
            private_allowed: mayBePrivate(previous, settings, change, mayUsePrivate),
            ...(hasNewKeys || isElsewhere(previous, settings) ? UNTESTED : {}),
            updated_at: now,
            version: eb('version', '+', 1),
          }))
          .where('id', '=', id)
          .execute()
        if (change.projects !== undefined) await writeProjects(tx, id, projects)
        if (change.isDefault) await promote(tx, await read(tx, id))
        const registry = await read(tx, id)
        await whenChanged?.(tx, registry)
        await also?.(tx, { registry, previous })
        return registry
      })
    },

    async promote(id, also) {
      return db.transaction(async (tx) => {
        await lockDefault(db, tx)
        const previous = await read(tx, id)
        await promote(tx, previous)
        const registry = await read(tx, id)
        await also?.(tx, { registry, previous })
        return registry
      })
    },

    async remove(id, { version, successor }, also) {
      await db.transaction(async (tx) => {
        await lockDefault(db, tx)
        const registry = await read(tx, id, version)
        // Whoever is being handed its keys is waited for.
        await db.engine
          .lockRows(tx.selectFrom('registry').select('id').where('id', '=', id), 'update')
          .execute()
        demandUnused(registry.name, await usesOf(tx, id, useSources))
        if (registry.isDefault) await handOver(tx, registry, successor)
        await tx.deleteFrom('registry').where('id', '=', id).execute()
        await also?.(tx, registry)
      })
    },
  }
}

async function read(on: Queryable, id: string, version?: number): Promise<RegistryRecord> {
  const [registry] = await listRegistries(on, { id })
  if (!registry) throw registryUnknown(id)
  if (version !== undefined && version !== registry.version) {
    throw new AppError(
      'precondition_failed',
      `registry "${registry.name}" was changed by somebody else; read it again`,
    )
  }
  return registry
}

/** Consumers compare it with what they saw, so no two changes may have the same. */
const later = (before: number | null, now: number) => Math.max(now, (before ?? 0) + 1)

/** What was known of the registry as it was is true no more. */
const UNTESTED = {
  health: 'unknown',
  health_reason: '',
  health_says: null,
  health_code: null,
  health_steps: '[]',
  credential_expires_at: null,
} as const

const idsOf = ({ projects }: RegistryRecord) => projects.map(({ id }) => id)

/** As in MongoDB, whose ids Zadig shows: seconds first, then chance. */
function newId(now: number): string {
  return (
    Math.floor(now / 1000)
      .toString(16)
      .padStart(8, '0')
      .slice(-8) + newHex(8)
  )
}

function isElsewhere(previous: RegistryRecord, next: CheckedSettings): boolean {
  return (
    previous.address !== next.address ||
    previous.provider !== next.provider ||
    previous.region !== next.region ||
    previous.namespace !== next.namespace ||
    previous.connectClusterId !== next.connect_cluster_id ||
    previous.verifyTls !== (next.verify_tls === 1) ||
    previous.caCertificate !== next.ca_certificate
  )
}

/**
 * Allowed is a host with its port, in the network of who speaks to it; another one takes somebody who
 * may allow it.
 */
function mayBePrivate(
  previous: RegistryRecord,
  next: Pick<CheckedSettings, 'address' | 'connect_cluster_id'>,
  change: Partial<RegistrySettings>,
  mayUsePrivate: boolean,
): 0 | 1 {
  const stays = hostAndPort(previous.address) === hostAndPort(next.address)
  const isNear = mayUsePrivate || previous.connectClusterId === next.connect_cluster_id
  const named = change.address !== undefined && mayUsePrivate
  return named || (stays && isNear && previous.privateAllowed) ? 1 : 0
}

/** The default is about to be deleted. @throws AppError invalid_input */
async function handOver(
  tx: Tx,
  registry: RegistryRecord,
  successor: string | undefined,
): Promise<void> {
  if (successor !== undefined) {
    const [next] = successor === registry.id ? [] : await listRegistries(tx, { id: successor })
    if (!next) {
      throw new AppError(
        'invalid_input',
        `the successor ${JSON.stringify(successor.slice(0, 64))} is no other registry`,
        { field: 'successor', ...because('registry_successor_unknown', {}) },
      )
    }
    await promote(tx, next)
  } else if (await isAnotherElectable(tx, registry.id)) {
    throw mustHaveSuccessor(registry, 'deleted')
  } else {
    await pointTo(tx, null)
  }
}

function mustHaveSuccessor({ name }: RegistryRecord, done: string): AppError {
  const field = done === 'deleted' ? 'successor' : 'isDefault'
  return new AppError(
    'invalid_input',
    `"${name}" is the default registry, and there is always exactly one: it cannot be ${done} before another one is made the default`,
    { field, ...because('registry_is_default', { name }) },
  )
}
