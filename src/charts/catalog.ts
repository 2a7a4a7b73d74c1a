import { sql } from 'kysely'
import { AppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Blob, Blobs } from '../registry/blobs.ts'
import type { BlobSource } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { containing } from '../store/db/search.ts'
import { type ChartEntry, parseEntry } from './entry.ts'
import { RELEASE_KEYS } from './version.ts'

/** A chart with all its versions, as lists show it. */
export interface ChartSummary {
  /** The repository's path below the project: `nginx`, `web/nginx`. */
  name: string
  project: string
  totalVersions: number
  /** The highest by semver, pre-releases included. */
  latestVersion: string
  /** Its entry in the index. */
  latest: ChartEntry
  /** When its oldest version came, epoch milliseconds. */
  createdAt: number
  /** When its newest version came. */
  updatedAt: number
}

export interface ChartFilter {
  /** The id of one project; all when left out. */
  project?: number
  /** Only charts of this folder (empty: right below the project). */
  folder?: string
  /** Only projects that are public or that this account is a member of; undefined: all. */
  visibleTo?: number | null
  /** Part of the name. */
  nameHas?: string
  offset?: number
  /** All when left out. */
  limit?: number
}

export interface ChartPage {
  /** How many there are on all pages. */
  total: number
  /** By project and name, in byte order. */
  charts: ChartSummary[]
}

/** One version of a chart. */
export interface ChartVersion {
  version: string
  /** The manifest. */
  digest: Digest
  /** `<name>-<version>.tgz` */
  fileName: string
  archiveDigest: Digest
  archiveSize: number
  provenanceDigest: Digest | null
  /** Epoch milliseconds. */
  createdAt: number
  entry: ChartEntry
  /** The canonical name of its repository. */
  repository: RepositoryName
  repositoryId: number
  manifestId: number
  tagId: number
}

/** A file as the repository serves it. */
export interface ChartFile {
  version: ChartVersion
  size: number
  digest: Digest
  source: BlobSource | Uint8Array
}

export interface ChartCatalog {
  /** One query, whatever the page. */
  list(filter: ChartFilter): Promise<ChartPage>
  /** Newest first by semver; none: no such chart. */
  versions(name: RepositoryName): Promise<ChartVersion[]>
  /** `latest`: the highest that is no pre-release, else the highest. */
  find(name: RepositoryName, version: string): Promise<ChartVersion | undefined>
  /** By its file name, with the folder before it: see `open`. */
  findFile(project: string, file: string): Promise<ChartVersion | undefined>
  /**
   * An archive or, with `.prov` at its end, a provenance file, by its name in the project; that of
   * deeper charts has the folder before it: `web/nginx-1.0.0.tgz`.
   * @throws AppError not_found, project_unknown
   */
  open(project: string, file: string): Promise<ChartFile>
}

export function createChartCatalog({ db, blobs }: { db: Db; blobs: Blobs }): ChartCatalog {
  function shown() {
    return db.query
      .selectFrom('chart_version')
      .innerJoin('repository', 'repository.id', 'chart_version.repository')
      .innerJoin('project', 'project.id', 'repository.project')
      .where('chart_version.tag', 'is not', null)
      .where('repository.state', '=', LIVE)
      .where('project.state', '=', LIVE)
  }

  function grouped({ project, folder, visibleTo, nameHas }: ChartFilter) {
    let query = shown()
      .select(['repository.id', 'repository.name', 'project.name as project'])
      .select(({ fn }) => [
        fn.countAll<number>().as('versions'),
        fn.min<number>('chart_version.created_at').as('created'),
        fn.max<number>('chart_version.created_at').as('updated'),
      ])
      .groupBy(['repository.id', 'repository.name', 'project.name'])
    if (project !== undefined) query = query.where('chart_version.project', '=', project)
    if (folder !== undefined) query = query.where('chart_version.folder', '=', folder)
    if (nameHas) query = query.where(containing('repository.name', nameHas))
    if (visibleTo === undefined) return query
    return query.where((eb) =>
      eb.or([
        eb('project.is_public', '=', 1),
        eb(
          'project.id',
          'in',
          eb
            .selectFrom('member')
            .select('project')
            .where('account', '=', visibleTo ?? -1),
        ),
      ]),
    )
  }

  function versionsOf(name: RepositoryName) {
    return details()
      .where('project.name', '=', name.project)
      .where('repository.name', '=', name.path)
      .orderBy('chart_version.version_key', 'desc')
  }

  function details() {
    return shown()
      .innerJoin('manifest', 'manifest.id', 'chart_version.manifest')
      .selectAll('chart_version')
      .select([
        'manifest.digest',
        'project.name as project_name',
        'repository.name as repository_name',
      ])
  }

  async function findFile(project: string, file: string) {
    const slash = file.lastIndexOf('/')
    const row = await details()
      .where('project.name', '=', project)
      .where('chart_version.folder', '=', file.slice(0, Math.max(0, slash)))
      .where('chart_version.file_name', '=', file.slice(slash + 1))
      .orderBy('chart_version.manifest')
      .limit(1)
      .executeTakeFirst()
    return row && versionFrom(row)
  }

  return {
    findFile,

    async list(filter) {
      const rows = await db.query
        .with('chart', () => grouped(filter))
        .with('page', (query) => {
          const sorted = query.selectFrom('chart').selectAll().orderBy('project').orderBy('name')
          // SQLite has no offset without a limit.
          return sorted.limit(filter.limit ?? MANY).offset(filter.offset ?? 0)
        })
        .selectFrom((eb) =>
          eb
            .selectFrom('chart')
            .select(({ fn }) => fn.countAll<number>().as('total'))
            .as('all'),
        )
        // So that the total is there on a page that has no charts.
        .leftJoin('page', (join) => join.on(sql<boolean>`true`))
        .selectAll(['all', 'page'])
        .select((eb) =>
          eb
            .selectFrom('chart_version')
            .select('entry')
            .whereRef('chart_version.repository', '=', 'page.id')
            .where('tag', 'is not', null)
            .orderBy('version_key', 'desc')
            .limit(1)
            .as('latest'),
        )
        .orderBy('page.project')
        .orderBy('page.name')
        .execute()
      return { total: rows[0]?.total ?? 0, charts: rows.flatMap(summaryFrom) }
    },

    async versions(name) {
      return (await versionsOf(name).execute()).map(versionFrom)
    },

    async find(name, version) {
      if (version !== 'latest') {
        const row = await versionsOf(name)
          .where('chart_version.version', '=', version)
          .limit(1)
          .executeTakeFirst()
        return row && versionFrom(row)
      }
      const newest = versionsOf(name).limit(1)
      const release = newest.where('chart_version.version_key', 'like', RELEASE_KEYS)
      const row = (await release.executeTakeFirst()) ?? (await newest.executeTakeFirst())
      return row && versionFrom(row)
    },

    async open(project, file) {
      const isProvenance = file.endsWith('.prov')
      const version = await findFile(project, isProvenance ? file.slice(0, -5) : file)
      const digest = isProvenance ? version?.provenanceDigest : version?.archiveDigest
      if (!version || !digest) throw fileUnknown(project, file)
      const blob: Blob = await blobs.get(version.repository, digest)
      return { version, digest, size: blob.size, source: await blobs.open(blob) }
    },
  }
}

/** More than there are. */
const MANY = 1_000_000_000

interface SummaryRow {
  id: number | null
  name: string | null
  project: string | null
  versions: number | null
  created: number | null
  updated: number | null
  latest: string | null
}

function summaryFrom(row: SummaryRow): ChartSummary[] {
  const { name, project, versions, created, updated, latest } = row
  if (name === null || project === null || latest === null) return []
  const entry = parseEntry(latest)
  return [
    {
      name,
      project,
      totalVersions: versions ?? 0,
      latestVersion: entry.version,
      latest: entry,
      createdAt: created ?? 0,
      updatedAt: updated ?? 0,
    },
  ]
}

interface VersionRow {
  manifest: number
  repository: number
  tag: number | null
  version: string
  file_name: string
  created_at: number
  archive_digest: string
  archive_size: number
  provenance_digest: string | null
  entry: string
  digest: string
  project_name: string
  repository_name: string
}

function versionFrom(row: VersionRow): ChartVersion {
  const { project_name: project, repository_name: path } = row
  return {
    version: row.version,
    digest: row.digest as Digest,
    fileName: row.file_name,
    archiveDigest: row.archive_digest as Digest,
    archiveSize: row.archive_size,
    provenanceDigest: row.provenance_digest as Digest | null,
    createdAt: row.created_at,
    entry: parseEntry(row.entry),
    repository: { project, path, full: `${project}/${path}` },
    repositoryId: row.repository,
    manifestId: row.manifest,
    tagId: row.tag ?? 0,
  }
}

function fileUnknown(project: string, file: string): AppError {
  return new AppError('not_found', `there is no "${file.slice(0, 300)}" in project "${project}"`)
}
