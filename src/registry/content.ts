import { sql } from 'kysely'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE, statement } from '../store/db/prepared.ts'
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

/**
 * The live content with this sha256, made from `bytes` when there is none. A content that is being
 * deleted does not count: a new row with a new key takes its place.
 */
export async function ensureContent(
  db: Db,
  tx: Tx,
  content: { sha256: string; size: number; bytes: Bytes; now: number },
): Promise<LockedContent> {
  const { sha256, size, bytes, now } = content
  const storageKey = 'storageKey' in bytes ? bytes.storageKey : null
  const [inserted] = await insertContent(tx, { sha256, size, storageKey, now })
  if (inserted) {
    if ('inline' in bytes) await keepBody(tx, inserted.id, bytes.inline)
    return { id: inserted.id, size, isNew: true }
  }
  const existing = await db.engine
    .lockRows(
      tx
        .selectFrom('content')
        .select(['id', 'size'])
        .where('sha256', '=', sha256)
        .where('state', '=', LIVE),
      'keyShare',
    )
    .executeTakeFirst()
  // The collector took it between the two statements: now the row can be made.
  if (!existing) return ensureContent(db, tx, content)
  return { ...existing, isNew: false }
}

/** Keeps the bytes in the database too, for manifests whose bytes came in as a blob before. */
export async function keepBody(tx: Tx, content: number, bytes: Uint8Array): Promise<void> {
  await insertBody(tx, { content, bytes })
}

/** Counts one more row of the project that holds this content, into `change`. */
export async function linkContent(
  tx: Tx,
  project: number,
  content: { id: number; size: number },
  change: UsageChange,
): Promise<void> {
  const [row] = await addLink(tx, { project, content: content.id })
  change.logicalBytes += content.size
  if (row?.links === 1) change.uniqueBytes += content.size
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

const insertContent = statement(
  (on, values: { sha256: string; size: number; storageKey: string | null; now: number }) =>
    on
      .insertInto('content')
      .values({
        sha256: values.sha256,
        size: values.size,
        storage_key: values.storageKey,
        state_at: values.now,
        created_at: values.now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id'),
)

const insertBody = statement(
  (on, values: { content: number; bytes: Uint8Array }) =>
    on
      .insertInto('content_body')
      .values({ content: values.content, bytes: values.bytes })
      .onConflict((conflict) => conflict.doNothing()),
  { deferred: true },
)

const addLink = statement((on, values: { project: number; content: number }) =>
  on
    .insertInto('project_content')
    .values({ project: values.project, content: values.content, links: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['project', 'content'])
        .doUpdateSet({ links: sql`project_content.links + 1` }),
    )
    .returning('links'),
)
