import { sql } from 'kysely'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE, prepare } from '../store/db/prepared.ts'
import { renderIndex, renderJson } from './entry.ts'

/*
 * `index.yaml` of a folder. What is in it stands in the rows, one entry each, made when the chart
 * was pushed; a document is put together when its state has changed and then kept. The state is a
 * sum over the rows that are shown, so it is right in every process, whoever changed what: charts
 * come and go with their tags, and nobody has to count a revision up.
 */

/** Above it Helm itself takes minutes to read the document. */
const INDEX_LIMIT = 96 * 1024 * 1024
/** Of all documents that are kept. */
const KEPT_BYTES = 128 * 1024 * 1024
/** Part of the ETag: raised when the same rows make another document. */
const FORM = 1

export interface Folder {
  project: number
  /** The path between project and charts; empty: none. */
  path: string
}

export interface IndexOf {
  folder: Folder
  /** Where the ChartMuseum API is; undefined: the document does not say. */
  contextPath: string | undefined
}

export interface IndexFile {
  /** Without its quotes. */
  etag: string
  /** Reads the document, unless it is known. @throws AppError too_large */
  bytes(): Promise<Uint8Array>
}

export interface ChartIndex {
  read(asked: IndexOf): Promise<IndexFile>
  /**
   * The same entries as one JSON object: names to lists of versions, newest first. `offset` and
   * `limit` count charts.
   * @throws AppError too_large
   */
  json(folder: Folder, page: { offset: number; limit?: number }): Promise<string>
}

export function createChartIndex({ db }: { db: Db }): ChartIndex {
  const kept = new Map<string, { etag: string; bytes: Promise<Uint8Array>; size: number }>()

  const readState = prepare(db, (folder: Folder) =>
    shownIn(db, folder).select([
      (eb) => eb.fn.countAll<number>().as('count'),
      sql<number>`coalesce(sum(chart_version.manifest), 0)`.as('manifests'),
      sql<number>`coalesce(sum(chart_version.stamp), 0)`.as('stamps'),
      sql<number>`coalesce(sum(chart_version.entry_size), 0)`.as('size'),
    ]),
  )

  async function stateOf(folder: Folder) {
    const [state] = await readState(folder)
    return state ?? { count: 0, manifests: 0, stamps: 0, size: 0 }
  }

  const entriesIn = (folder: Folder) =>
    shownIn(db, folder).select([
      'chart_version.name',
      'chart_version.version_key',
      'chart_version.entry',
      'chart_version.created_at',
    ])

  async function assemble({ folder, contextPath }: IndexOf): Promise<Uint8Array> {
    const rows = sorted(await entriesIn(folder).execute())
    // Not the time of now: the same state is the same document in every process.
    const generatedAt = rows.reduce((latest, row) => Math.max(latest, row.created_at), 0)
    return Buffer.from(renderIndex(rows, { generatedAt, contextPath }))
  }

  function keep(key: string, etag: string, asked: IndexOf, size: number): Promise<Uint8Array> {
    const known = kept.get(key)
    kept.delete(key)
    if (known?.etag === etag) {
      kept.set(key, known)
      return known.bytes
    }
    const bytes = assemble(asked)
    bytes.catch(() => kept.delete(key))
    kept.set(key, { etag, bytes, size })
    let total = [...kept.values()].reduce((sum, document) => sum + document.size, 0)
    for (const [oldest, document] of kept) {
      if (total <= KEPT_BYTES || oldest === key) break
      kept.delete(oldest)
      total -= document.size
    }
    return bytes
  }

  return {
    async read(asked) {
      const { folder, contextPath = '' } = asked
      const { count, manifests, stamps, size } = await stateOf(folder)
      const etag = [FORM, count, manifests, stamps].map(short).join('-')
      return {
        etag,
        async bytes() {
          demandSize(count, size)
          return keep(`${folder.project}/${folder.path}:${contextPath}`, etag, asked, size)
        },
      }
    },

    async json(folder, { offset, limit = MANY }) {
      const { count, size } = await stateOf(folder)
      const names = shownIn(db, folder).select('chart_version.name').distinct()
      const page = names.orderBy('chart_version.name').limit(limit).offset(offset).as('page')
      if (limit === MANY) demandSize(count, size)
      const rows = await entriesIn(folder)
        .where('chart_version.name', 'in', (eb) => eb.selectFrom(page).select('page.name'))
        .execute()
      return renderJson(sorted(rows))
    },
  }
}

/** More charts than there are. */
const MANY = 1_000_000_000

/**
 * By name, newest version first. Not by the database, which would carry all entries through its
 * sort: that is half of the time that it takes to read 10,000. Names and keys are ASCII.
 */
function sorted<R extends { name: string; version_key: string }>(rows: R[]): R[] {
  return rows.sort((a, b) => {
    if (a.name !== b.name) return a.name < b.name ? -1 : 1
    return a.version_key < b.version_key ? 1 : -1
  })
}

const short = (sum: number): string => sum.toString(36)

function shownIn(db: Db, { project, path }: Folder) {
  return db.query
    .selectFrom('chart_version')
    .where('chart_version.project', '=', project)
    .where('chart_version.folder', '=', path)
    .where('chart_version.tag', 'is not', null)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('repository')
          .select('id')
          .whereRef('repository.id', '=', 'chart_version.repository')
          .where('repository.state', '=', LIVE),
      ),
    )
}

/** @throws AppError too_large */
function demandSize(count: number, size: number): void {
  if (size <= INDEX_LIMIT) return
  throw new AppError(
    'too_large',
    `the index of these ${count} charts would have ${size} bytes, at most ${INDEX_LIMIT} are ` +
      'made; push charts into folders, each of which has an index of its own, or use OCI references',
  )
}
