import type { Authorizer } from '../accounts/authorize.ts'
import type { Action } from '../accounts/permissions.ts'
import type { Principal } from '../accounts/principal.ts'
import { writeAudit } from '../events/audit.ts'
import type { Clock } from '../lib/clock.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import { type Digest, parseDigest } from '../oci/digest.ts'
import type { Descriptor } from '../oci/manifest.ts'
import { parseRepositoryName, type RepositoryName } from '../oci/reference.ts'
import type { Registry } from '../oci/registry.ts'
import type { Also } from '../store/db/database.ts'
import { openBlob } from './as-registry-read.ts'
import { receiveBlob } from './as-registry-write.ts'
import type { LocalRegistry } from './registry.ts'
import type { Pusher } from './repository-openings.ts'

const PAGE = 1_000

export interface AsRegistryDeps {
  registry: LocalRegistry
  authorizer: Authorizer
  clock: Clock
  /** Who acts. Asked before every step, since a step may come hours after the one before. */
  principal: () => Promise<Principal>
  settings: { publicByDefault: boolean }
}

/** What an adapter's parts share. */
export interface LocalAccess {
  registry: LocalRegistry
  clock: Clock
  /** @throws AppError name_invalid; what `authorize` says */
  demand(repository: string, action: Action): Promise<RepositoryName>
  /** Who pushes into the repository. @throws AppError as `demand` */
  pusher(name: RepositoryName): Promise<Pusher>
}

/**
 * Our own registry as one of the many, for somebody: what he may not see is not there for him
 * either, his pushes are charged and make projects as they would over HTTP, and what is taken from
 * him in the meantime takes effect within five seconds.
 */
export function asRegistry(deps: AsRegistryDeps): Registry {
  const { registry, authorizer, clock, settings } = deps

  async function demand(repository: string, action: Action): Promise<RepositoryName> {
    const name = parseRepositoryName(repository)
    if (!name) {
      throw new AppError('name_invalid', `"${repository.slice(0, 255)}" is not a repository name`)
    }
    const project = await registry.projects.find(name.project)
    const resource = { kind: 'repository', repository: name.full, project } as const
    await authorizer.demand(await deps.principal(), action, resource)
    return name
  }

  async function pusher(name: RepositoryName): Promise<Pusher> {
    await demand(name.full, 'repository:push')
    const principal = await deps.principal()
    const creates = await authorizer.authorize(principal, 'project:create', { kind: 'system' })
    return {
      account: principal.account,
      mayCreateProject: creates.allowed,
      isAdministrator: principal.isAdmin,
      publicProject: settings.publicByDefault,
    }
  }

  async function removing(
    repository: string,
    action: 'tag.delete' | 'artifact.delete',
    reference: string,
  ) {
    const name = await demand(repository, 'repository:delete')
    const actor = await deps.principal()
    const project = await registry.projects.find(name.project)
    const resource = `${name.full}${reference.includes(':') ? '@' : ':'}${reference}`
    const also: Also<object | undefined> = (tx) =>
      writeAudit(tx, { at: clock(), actor, action, project: project?.id, resource })
    return { name, account: actor.account, also }
  }

  const access: LocalAccess = { registry, clock, demand, pusher }

  return {
    async resolveManifest(repository, reference) {
      const name = await demand(repository, 'repository:pull')
      return present(registry.manifests.head(name, reference))
    },

    async readManifest(repository, reference) {
      const name = await demand(repository, 'repository:pull')
      const found = await present(registry.manifests.get(name, reference))
      return (
        found && {
          digest: found.digest,
          mediaType: found.mediaType,
          bytes: new Uint8Array(found.bytes),
        }
      )
    },

    async writeManifest(repository, { digest, mediaType, bytes }, { tag } = {}) {
      const name = await demand(repository, 'repository:push')
      await registry.manifests.put({
        name,
        reference: { kind: 'digest', digest },
        tags: tag === undefined ? [] : [tag],
        contentType: mediaType,
        bytes,
        pusher: await pusher(name),
      })
    },

    async hasBlob(repository, digest) {
      const name = await demand(repository, 'repository:pull')
      const blob = await present(registry.blobs.get(name, digest))
      if (!blob) return false
      // Whoever may push and asks will refer to it soon: the collector has to wait.
      if (blob.unreferencedSince !== null) {
        const may = await demand(repository, 'repository:push').catch(() => undefined)
        if (may) await registry.blobs.refresh(blob, digest)
      }
      return true
    },

    readBlob: (repository, blob, options = {}) => openBlob(access, repository, blob, options),

    async mountBlob(repository, digest, from) {
      const target = await demand(repository, 'repository:push')
      const source = from === undefined ? undefined : parseRepositoryName(from)
      if (from !== undefined && !source) return false
      return registry.blobs.mount({
        target,
        digest,
        source,
        principal: await deps.principal(),
        pusher: await pusher(target),
      })
    },

    writeBlob: (repository, blob, open, call = {}) =>
      receiveBlob(access, repository, blob, open, call),

    async *listTags(repository) {
      for (let after: string | undefined; ; ) {
        const name = await demand(repository, 'repository:pull')
        const page = { limit: PAGE, ...(after === undefined ? {} : { after }) }
        const names = await present(registry.tags.names(name, page))
        if (!names || names.length === 0) return
        yield names
        if (names.length < PAGE) return
        after = names.at(-1)
      }
    },

    async *listRepositories({ namespace } = {}) {
      for (let after: RepositoryName | undefined; ; ) {
        const principal = await deps.principal()
        await authorizer.demand(principal, 'catalog:read', { kind: 'system' })
        const names = await registry.catalog.list({
          limit: PAGE,
          visibleTo: principal.isAdmin ? 'all' : principal.account,
          ...(after ? { after } : {}),
        })
        const inside = names.filter(
          (name) => namespace === undefined || name.startsWith(`${namespace}/`),
        )
        if (inside.length > 0) yield inside
        if (names.length < PAGE) return
        after = parseRepositoryName(names.at(-1) ?? '')
      }
    },

    async listReferrers(repository, subject, { artifactType } = {}) {
      const name = await demand(repository, 'repository:pull')
      const found: Descriptor[] = []
      for (let after: string | undefined; ; ) {
        const page = await registry.referrers.list(name, subject, {
          artifactTypes: artifactType === undefined ? [] : [artifactType],
          limit: PAGE,
          ...(after === undefined ? {} : { after }),
        })
        found.push(...page.map((referrer) => ({ ...referrer, raw: { ...referrer } })))
        if (page.length < PAGE) return found
        after = page.at(-1)?.digest
      }
    },

    async deleteTag(repository, tag) {
      const { name, account, also } = await removing(repository, 'tag.delete', tag)
      return done(registry.tags.remove(name, tag, account, also))
    },

    async deleteManifest(repository, digest) {
      const { name, account, also } = await removing(repository, 'artifact.delete', digest)
      return done(registry.manifests.remove(name, digest, account, {}, (tx) => also(tx, undefined)))
    },
  }
}

/** What is not there is no error for those who only ask. */
async function present<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isAppError(error, 'repository_unknown', 'manifest_unknown', 'blob_unknown')) {
      return undefined
    }
    throw error
  }
}

async function done(removal: Promise<void>): Promise<boolean> {
  return (await present(removal.then(() => true))) ?? false
}

/** The digest of a stored blob is checked again on its way out; disks fail too. */
export function demandDigest(expected: Digest, actual: string): void {
  if (parseDigest(actual) === expected) return
  throw new AppError(
    'digest_mismatch',
    `what is stored as ${expected} has the digest ${actual}; an administrator of the system has to look at the storage (entrepot verify --deep)`,
  )
}
