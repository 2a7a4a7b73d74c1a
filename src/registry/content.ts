import { sql } from 'kysely'
import { AppError } from '../lib/errors.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE, statements } from '../store/db/prepared.ts'
import type { UsageChange } from './usage.ts'

/*
 * Content: bytes that are stored once, whoever pushed them. Rows become visible through
 * `repository_blob` and `manifest`; `project_content` counts those rows within a project, which
 * is what a quota is charged for.
 */

/** Up to this size bytes are kept in the database: no file, no sync, no round trip. */
export const INLINE_LIMIT = 4096

/** Where the bytes of a new content are. */
export type Bytes = { inline: Uint8Array } | { storageKey: string }

/** A live content, locked against the collector until the end of the transaction. */
export interface LockedContent {
  id: number
  size: number
  /** False: the same bytes were there before, so those in hand are not needed. */
  isNew: boolean
}

/** Bytes that are here now. */
export interface NewContent {
  /** Hex. */
  sha256: string
  size: number
  bytes: Bytes
}

/**
 * The live contents with these sha256, which are all different, in their order; made from `bytes`
 * where there is none. A content that is being deleted does not count: a new row with a new key
 * takes its place.
 */
export async function ensureContents(
  db: Db,
  tx: Tx,
  contents: readonly NewContent[],
  now: number,
): Promise<LockedContent[]> {
  // In one order, so that two who bring the same ones never wait for each other in a circle.
  const sorted = contents.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
  const rows = sorted.map(({ sha256, size, bytes }) => {
    return { sha256, size, storageKey: 'storageKey' in bytes ? bytes.storageKey : null, now }
  })
  const made = await insertContents(tx, rows)
  const ids = new Map(made.map(({ id, sha256 }) => [sha256, id]))
  const bodies = sorted.flatMap(({ sha256, bytes }) => {
    const content = ids.get(sha256)
    return content !== undefined && 'inline' in bytes ? [{ content, bytes: bytes.inline }] : []
  })
  await keepBodies(tx, bodies)
  const locked = new Map<string, LockedContent>()
  for (const content of sorted) {
    const id = ids.get(content.sha256)
    const isNew = id !== undefined
    const row = isNew ? { id, size: content.size, isNew } : await lockContent(db, tx, content, now)
    locked.set(content.sha256, row)
  }
  return contents.flatMap(({ sha256 }) => locked.get(sha256) ?? [])
}

async function lockContent(
  db: Db,
  tx: Tx,
  content: NewContent,
  now: number,
): Promise<LockedContent> {
  const existing = await db.engine
    .lockRows(
      tx
        .selectFrom('content')
        .select(['id', 'size'])
        .where('sha256', '=', content.sha256)
        .where('state', '=', LIVE),
      'keyShare',
    )
    .executeTakeFirst()
  if (existing) return { ...existing, isNew: false }
  // The collector took it between the two statements: now the row can be made.
  return ensureContent(db, tx, content, now)
}

/** As `ensureContents`, for one. */
async function ensureContent(
  db: Db,
  tx: Tx,
  content: NewContent,
  now: number,
): Promise<LockedContent> {
  const [row] = await ensureContents(db, tx, [content], now)
  if (!row) throw new AppError('internal', 'a content was not stored')
  return row
}

/** Keeps the bytes in the database too, for manifests whose bytes came in as a blob before. */
export async function keepBodies(
  tx: Tx,
  bodies: readonly { content: number; bytes: Uint8Array }[],
): Promise<void> {
  if (bodies.length > 0) await insertBodies(tx, [...bodies])
}

/** Counts one more row of the project for each of these contents, into `change`. */
export async function linkContents(
  tx: Tx,
  project: number,
  contents: readonly { id: number; size: number }[],
  change: UsageChange,
): Promise<void> {
  if (contents.length === 0) return
  const sorted = contents.toSorted((a, b) => a.id - b.id)
  const rows = await addLinks(
    tx,
    sorted.map(({ id }) => ({ project, content: id })),
  )
  const links = new Map(rows.map((row) => [row.content, row.links]))
  for (const { id, size } of sorted) {
    change.logicalBytes += size
    if (links.get(id) === 1) change.uniqueBytes += size
  }
}

/** Counts one row less. */
export async function unlinkContent(
  tx: Tx,
  project: number,
  content: { id: number; size: number },
  change: UsageChange,
): Promise<void> {
  const { links } = await tx
    .updateTable('project_content')
    .set((eb) => ({ links: eb('links', '-', 1) }))
    .where('project', '=', project)
    .where('content', '=', content.id)
    .returning('links')
    .executeTakeFirstOrThrow()
  change.logicalBytes -= content.size
  if (links > 0) return
  change.uniqueBytes -= content.size
  await tx
    .deleteFrom('project_content')
    .where('project', '=', project)
    .where('content', '=', content.id)
    .execute()
}

const insertContents = statements(
  (on, rows: { sha256: string; size: number; storageKey: string | null; now: number }[]) =>
    on
      .insertInto('content')
      .values(
        rows.map((row) => ({
          sha256: row.sha256,
          size: row.size,
          storage_key: row.storageKey,
          state_at: row.now,
          created_at: row.now,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returning(['id', 'sha256']),
)

const insertBodies = statements(
  (on, rows: { content: number; bytes: Uint8Array }[]) =>
    on
      .insertInto('content_body')
      .values(rows.map((row) => ({ content: row.content, bytes: row.bytes })))
      .onConflict((conflict) => conflict.doNothing()),
  { deferred: true },
)

const addLinks = statements((on, rows: { project: number; content: number }[]) =>
  on
    .insertInto('project_content')
    .values(rows.map((row) => ({ project: row.project, content: row.content, links: 1 })))
    .onConflict((conflict) =>
      conflict
        .columns(['project', 'content'])
        .doUpdateSet({ links: sql`project_content.links + 1` }),
    )
    .returning(['content', 'links']),
)
