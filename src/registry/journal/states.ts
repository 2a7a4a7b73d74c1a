import type { Queryable } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'
import { chunked } from '../chunked.ts'
import type { Change } from './changes.ts'
import { type EncodedRecord, encodeRecord, KINDS, type RecordKind } from './records.ts'

/*
 * Rows as records of the journal: of those that changed, read in the statement that reads the
 * change, so that what is written is never older than it; and of all rows, page by page.
 */

/** What a batch or a page may hold, so that memory stays flat whatever is in the database. */
export const MOST_RECORDS = 1_000
export const MOST_BYTES = 4 * 1024 * 1024

/** The first rows that together have at most so many bytes; always one, if there is one. */
export function within<T>(limit: number, rows: readonly T[], sizeOf: (row: T) => number): T[] {
  let sum = 0
  const end = rows.findIndex((row, i) => {
    sum += sizeOf(row)
    return sum > limit && i > 0
  })
  return end < 0 ? [...rows] : rows.slice(0, end)
}

const base64 = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64')

export const projects = (on: Queryable) =>
  on
    .selectFrom('project')
    .select(['id', 'project.name', 'alias', 'project.kind', 'is_public', 'quota', 'description'])
    .select(['created_at', 'updated_at'])
    .where('state', '=', LIVE)

type ProjectRow = Awaited<ReturnType<ReturnType<typeof projects>['execute']>>[number]

export function projectRecord(row: ProjectRow): EncodedRecord {
  return encodeRecord(
    { kind: 'project', owner: row.id, name: '' },
    {
      name: row.name,
      alias: row.alias,
      kind: row.kind,
      isPublic: row.is_public === 1,
      quota: row.quota,
      description: row.description,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
  )
}

export const repositories = (on: Queryable) =>
  on
    .selectFrom('repository')
    .select(['id', 'project', 'repository.name', 'summary', 'description'])
    .select(['created_at', 'updated_at'])
    .where('state', '=', LIVE)

type RepositoryRow = Awaited<ReturnType<ReturnType<typeof repositories>['execute']>>[number]

export function repositoryRecord(row: RepositoryRow): EncodedRecord {
  return encodeRecord(
    { kind: 'repository', owner: row.id, name: '' },
    {
      project: row.project,
      name: row.name,
      summary: row.summary,
      description: row.description,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
  )
}

/** Without their bytes: those that have no file may be manifests too, of 4 MiB each. */
export const blobs = (on: Queryable) =>
  on
    .selectFrom('repository_blob')
    .innerJoin('content', 'content.id', 'repository_blob.content')
    .select(['repository_blob.repository', 'repository_blob.digest', 'repository_blob.created_at'])
    .select(['content.id', 'content.sha256', 'content.size', 'content.storage_key'])
    .where('content.state', '=', LIVE)

type BlobRow = Awaited<ReturnType<ReturnType<typeof blobs>['execute']>>[number]

/** What the record of a blob takes, roughly. */
export const inlineSize = (row: { size: number; storage_key: string | null }) =>
  row.storage_key === null ? row.size : 0

export async function blobRecords(
  on: Queryable,
  rows: readonly BlobRow[],
): Promise<EncodedRecord[]> {
  const records: EncodedRecord[] = []
  for (const some of chunked(rows)) {
    const inline = some.filter((row) => row.storage_key === null).map((row) => row.id)
    const bodies = on.selectFrom('content_body').selectAll().where('content', 'in', inline)
    const found = inline.length > 0 ? await bodies.execute() : []
    const bytesOf = new Map(found.map(({ content, bytes }) => [content, bytes]))
    for (const row of some) {
      const key = { kind: 'blob', owner: row.repository, name: row.digest } as const
      const bytes = row.storage_key === null ? { bytes: base64(bytesOf.get(row.id)) } : {}
      records.push(
        encodeRecord(key, { content: contentOf(row), ...bytes, createdAt: row.created_at }),
      )
    }
  }
  return records
}

/** Without their bytes, which may be 4 MiB each. */
export const manifests = (on: Queryable) =>
  on
    .selectFrom('manifest')
    .select(['manifest.id', 'manifest.repository', 'manifest.digest', 'manifest.size'])
    .where('manifest.state', '=', LIVE)

export interface ManifestRow {
  id: number
  size: number
}

export async function manifestRecords(
  on: Queryable,
  rows: readonly ManifestRow[],
): Promise<EncodedRecord[]> {
  const records: EncodedRecord[] = []
  for (const ids of chunked(rows.map((row) => row.id))) {
    const found = await on
      .selectFrom('manifest')
      .innerJoin('content', 'content.id', 'manifest.content')
      .innerJoin('content_body', 'content_body.content', 'content.id')
      .select(['manifest.id', 'manifest.repository', 'manifest.digest', 'media_type', 'details'])
      .select(['manifest.created_at', 'content.id as contentId', 'sha256', 'content.size'])
      .select(['storage_key', 'bytes'])
      .where('manifest.id', 'in', ids)
      .where('manifest.state', '=', LIVE)
      .orderBy('manifest.id')
      .execute()
    for (const row of found) {
      const state = {
        id: row.id,
        mediaType: row.media_type,
        content: contentOf({ ...row, id: row.contentId }),
        bytes: base64(row.bytes),
        details: row.details,
        createdAt: row.created_at,
      }
      const key = { kind: 'manifest', owner: row.repository, name: row.digest } as const
      records.push(encodeRecord(key, state))
    }
  }
  return records
}

export const tags = (on: Queryable) =>
  on
    .selectFrom('tag')
    .innerJoin('manifest', 'manifest.id', 'tag.manifest')
    .select(['tag.id', 'tag.repository', 'tag.name', 'digest', 'immutable'])
    .select(['tag.created_at', 'tag.updated_at'])

type TagRow = Awaited<ReturnType<ReturnType<typeof tags>['execute']>>[number]

export function tagRecord(row: TagRow): EncodedRecord {
  return encodeRecord(
    { kind: 'tag', owner: row.repository, name: row.name },
    {
      id: row.id,
      digest: row.digest,
      immutable: row.immutable === 1,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
    },
  )
}

/**
 * The tag as the change left it, not as it is now: what it points at now may not be in the journal
 * yet, and then a journal that ends here would have no manifest for it.
 */
async function changedTags(on: Queryable, changes: readonly Change[]): Promise<EncodedRecord[]> {
  const rows = await on
    .selectFrom('journal_change as c')
    .leftJoin('manifest', 'manifest.id', 'c.target')
    .leftJoin('tag', (join) =>
      join.onRef('tag.repository', '=', 'c.owner').onRef('tag.name', '=', 'c.name'),
    )
    .select(['c.owner as repository', 'c.name', 'c.at', 'digest', 'immutable', 'tag.id'])
    .select(['tag.created_at', 'tag.updated_at'])
    .where('c.id', 'in', idsOf(changes))
    .execute()
  return rows.map((row) => {
    const { repository, name, digest, at } = row
    if (digest === null) return encodeRecord({ kind: 'tag', owner: repository, name }, null)
    return tagRecord({
      id: row.id ?? 0,
      repository,
      name,
      digest,
      immutable: row.immutable ?? 0,
      created_at: row.created_at ?? at,
      updated_at: row.updated_at ?? at,
    })
  })
}

/** Reads the rows that changed; those that are gone are not among the records. */
const CHANGED: Record<
  Exclude<RecordKind, 'tag'>,
  (on: Queryable, ids: number[]) => Promise<EncodedRecord[]>
> = {
  async project(on, ids) {
    const rows = await projects(on).where('id', 'in', owners(on, ids)).execute()
    return rows.map(projectRecord)
  },
  async repository(on, ids) {
    const rows = await repositories(on).where('id', 'in', owners(on, ids)).execute()
    return rows.map(repositoryRecord)
  },
  async blob(on, ids) {
    const rows = await blobs(on)
      .innerJoin('journal_change as c', (join) =>
        join
          .onRef('c.owner', '=', 'repository_blob.repository')
          .onRef('c.name', '=', 'repository_blob.digest'),
      )
      .where('c.id', 'in', ids)
      .execute()
    return blobRecords(on, rows)
  },
  async manifest(on, ids) {
    const rows = await manifests(on)
      .innerJoin('journal_change as c', (join) =>
        join.onRef('c.owner', '=', 'manifest.repository').onRef('c.name', '=', 'manifest.digest'),
      )
      .where('c.id', 'in', ids)
      .execute()
    return manifestRecords(on, rows)
  },
}

/** The records of changes that are still in the table, each row once. */
export async function recordsOf(
  on: Queryable,
  changes: readonly Change[],
): Promise<EncodedRecord[]> {
  const records: EncodedRecord[] = []
  for (const kind of KINDS) {
    const last = lastOfEach(changes.filter((change) => change.kind === kind))
    for (const some of chunked(last)) {
      if (kind === 'tag') {
        records.push(...(await changedTags(on, some)))
        continue
      }
      const found = await CHANGED[kind](on, idsOf(some))
      const there = new Set(found.map(keyOf))
      const gone = some.filter((change) => !there.has(keyOf(change)))
      records.push(...found)
      for (const { owner, name } of gone) records.push(encodeRecord({ kind, owner, name }, null))
    }
  }
  return records
}

/** A tag that moved twice is only where it is in the end. */
function lastOfEach(changes: readonly Change[]): Change[] {
  return [...new Map(changes.map((change) => [keyOf(change), change])).values()]
}

function keyOf({ owner, name }: { owner: number; name: string }): string {
  return `${owner} ${name}`
}

function owners(on: Queryable, ids: number[]) {
  return on.selectFrom('journal_change').select('owner').where('id', 'in', ids)
}

function idsOf(changes: readonly Change[]): number[] {
  return changes.map((change) => change.id)
}

function contentOf(row: { id: number; sha256: string; size: number; storage_key: string | null }) {
  return { id: row.id, sha256: row.sha256, size: row.size, key: row.storage_key }
}
