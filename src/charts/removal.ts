import { AppError } from '../lib/errors.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { LocalRegistry } from '../registry/registry.ts'
import type { Also, Db, Queryable, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { ChartCatalog, ChartVersion } from './catalog.ts'
import { tagOf } from './version.ts'

export interface ChartRemoval {
  /**
   * All versions; the repository goes with them unless it holds something else too. Returns how
   * many there were. `also` runs once per transaction: once, unless the repository stays.
   * @throws AppError not_found, immutable
   */
  remove(name: RepositoryName, actor: number | null, also?: Also<RemovedChart>): Promise<number>
  /**
   * One version: its tag, and the manifest unless other tags point at it.
   * @throws AppError not_found, immutable
   */
  removeVersion(
    name: RepositoryName,
    version: string,
    actor: number | null,
    also?: Also<RemovedChart>,
  ): Promise<void>
}

export interface RemovedChart {
  /** undefined: all versions. */
  version: string | undefined
  digest: string | undefined
}

/** Ends a transaction that turned out to be the wrong one. */
class NotAlone extends Error {}

const REASON = 'delete of the chart'

export function createChartRemoval(deps: {
  db: Db
  registry: LocalRegistry
  catalog: ChartCatalog
}): ChartRemoval {
  const { db, registry, catalog } = deps

  /**
   * The repository as a whole, in one transaction, if it holds nothing that has to stay. Whether it
   * does is asked when its row is locked, so that a push at the same time is not lost.
   */
  async function removeRepository(
    name: RepositoryName,
    repository: number,
    tag: number | undefined,
    actor: number | null,
    also: (tx: Tx) => Promise<void>,
  ): Promise<boolean> {
    if (await holdsMore(db.query, repository, tag)) return false
    try {
      await db.transaction(async (tx) => {
        await registry.repositories.remove(tx, name, actor, REASON)
        if (await holdsMore(tx, repository, tag)) throw new NotAlone()
        await also(tx)
      })
      return true
    } catch (error) {
      if (error instanceof NotAlone) return false
      throw error
    }
  }

  /** The manifest stays while it is known under another tag, such as `stable`. */
  async function removeOne(version: ChartVersion, actor: number | null, also: Also<RemovedChart>) {
    const { repository: name, manifestId, digest } = version
    const removed = { version: version.version, digest }
    const write = (tx: Tx) => also(tx, removed)
    const others = await db.query
      .selectFrom('tag')
      .select('id')
      .where('manifest', '=', manifestId)
      .where('id', '!=', version.tagId)
      .limit(1)
      .execute()
    if (others.length > 0) {
      await registry.tags.remove(name, tagOf(version.version), actor, write)
      return
    }
    await registry.manifests.remove(name, digest, actor, { reason: REASON }, write)
  }

  return {
    async remove(name, actor, also = nothingMore) {
      const versions = await catalog.versions(name)
      const [first] = versions
      if (!first) throw chartUnknown(name)
      const write = (tx: Tx) => also(tx, { version: undefined, digest: undefined })
      const isWhole = await removeRepository(name, first.repositoryId, undefined, actor, write)
      if (!isWhole) {
        await demandMutable(db, versions)
        for (const version of versions) await removeOne(version, actor, also)
      }
      return versions.length
    },

    async removeVersion(name, version, actor, also = nothingMore) {
      const found = await catalog.find(name, version)
      if (!found || version === 'latest') throw versionUnknown(name, version)
      const { repositoryId, tagId, digest } = found
      const write = (tx: Tx) => also(tx, { version, digest })
      if (await removeRepository(name, repositoryId, tagId, actor, write)) return
      await removeOne(found, actor, also)
    },
  }
}

const nothingMore = async (): Promise<void> => {}

/**
 * Whether a repository has artifacts that are no charts or, when one version goes, tags other than
 * that. Signatures and the like do not count: they go with what they are attached to.
 */
async function holdsMore(
  query: Queryable,
  repository: number,
  tag: number | undefined,
): Promise<boolean> {
  const artifact = await query
    .selectFrom('manifest')
    .leftJoin('chart_version', 'chart_version.manifest', 'manifest.id')
    .select('manifest.id')
    .where('manifest.repository', '=', repository)
    .where('manifest.state', '=', LIVE)
    .where('manifest.listed', '=', 1)
    .where('chart_version.manifest', 'is', null)
    .limit(1)
    .executeTakeFirst()
  if (artifact || tag === undefined) return artifact !== undefined
  const other = await query
    .selectFrom('tag')
    .select('id')
    .where('repository', '=', repository)
    .where('accessory', '=', 0)
    .where('id', '!=', tag)
    .limit(1)
    .executeTakeFirst()
  return other !== undefined
}

/** Before the first of several transactions. */
async function demandMutable(db: Db, versions: readonly ChartVersion[]): Promise<void> {
  const tags = versions.map(({ tagId }) => tagId)
  for (let i = 0; i < tags.length; i += 500) {
    const immutable = await db.query
      .selectFrom('tag')
      .select('name')
      .where('id', 'in', tags.slice(i, i + 500))
      .where('immutable', '=', 1)
      .limit(1)
      .executeTakeFirst()
    if (!immutable) continue
    throw new AppError(
      'immutable',
      `version "${immutable.name}" of the chart is immutable; a maintainer of the project has to lift that first`,
    )
  }
}

export function chartUnknown(name: RepositoryName): AppError {
  return new AppError('not_found', `chart "${name.path}" is not in project "${name.project}"`)
}

export function versionUnknown(name: RepositoryName, version: string): AppError {
  return new AppError(
    'not_found',
    `chart "${name.path}" in project "${name.project}" has no version "${version.slice(0, 130)}"`,
  )
}
