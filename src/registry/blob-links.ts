import { sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import type { Digest } from '../oci/digest.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE, statements } from '../store/db/prepared.ts'
import { linkContents, unlinkContent } from './content.ts'
import type { OpenRepository } from './repository-openings.ts'
import { charge, noChange, type UsageChange } from './usage.ts'

/* The rows that make a content visible in a repository, as one of its blobs. */

/** A content, and the digest by which a repository shows it. */
export interface LinkedBlob {
  digest: Digest
  content: { id: number; size: number }
}

export function createBlobLinks({ db, clock }: { db: Db; clock: Clock }) {
  /** Makes live, locked contents visible, all different, and books what that costs. */
  async function link(
    tx: Tx,
    repository: OpenRepository,
    blobs: readonly LinkedBlob[],
  ): Promise<void> {
    const now = clock()
    const change = noChange()
    let left = blobs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    while (left.length > 0) {
      const rows = left.map(({ digest, content }) => {
        return { repository: repository.id, digest, content: content.id, now }
      })
      const inserted = new Set((await insertBlobs(tx, rows)).map(({ digest }) => digest))
      const isNew = ({ digest }: LinkedBlob) => inserted.has(digest)
      const contents = left.filter(isNew).map(({ content }) => content)
      await linkContents(tx, repository.project.id, contents, change)
      // Rows that are there are locked by their contents first, as those who remove images do.
      const known = left
        .filter((blob) => !isNew(blob))
        .toSorted((a, b) => a.content.id - b.content.id || (a.digest < b.digest ? -1 : 1))
      left = []
      for (const blob of known) {
        // Again when it is deleted between the two statements.
        if (!(await relink(tx, repository, blob, change))) left.push(blob)
      }
    }
    await charge(tx, repository.project, repository.id, change)
  }

  /**
   * The row is there: keep it from the collector, and off a content that is being deleted. False:
   * it is not there any more.
   */
  async function relink(
    tx: Tx,
    repository: OpenRepository,
    { digest, content }: LinkedBlob,
    change: UsageChange,
  ): Promise<boolean> {
    const row = await lock(tx, repository.id, digest, 'noKeyUpdate')
    if (!row) return false
    const isMoved = row.content !== content.id
    if (isMoved || row.unreferenced_since !== null) {
      const since = row.unreferenced_since === null ? null : clock()
      await tx
        .updateTable('repository_blob')
        .set({ content: content.id, unreferenced_since: since })
        .where('repository', '=', repository.id)
        .where('digest', '=', digest)
        .execute()
    }
    if (isMoved) {
      await unlinkContent(tx, repository.project.id, await contentOf(tx, row.content), change)
      await linkContents(tx, repository.project.id, [content], change)
    }
    return true
  }

  /** Only the row: its content is shared by all projects and stays free for them. */
  function lock(tx: Tx, repository: number, digest: Digest, strength: 'update' | 'noKeyUpdate') {
    return db.engine
      .lockRows(
        tx
          .selectFrom('repository_blob')
          .select(['content', 'unreferenced_since'])
          .where('repository', '=', repository)
          .where('digest', '=', digest),
        strength,
      )
      .executeTakeFirst()
  }

  return { link, lock }
}

const insertBlobs = statements(
  (on, rows: { repository: number; digest: Digest; content: number; now: number }[]) =>
    on
      .insertInto('repository_blob')
      .values(
        rows.map((row) => ({
          repository: row.repository,
          digest: row.digest,
          content: row.content,
          // A sparse manifest may be there before its blob.
          unreferenced_since: sql<number | null>`case when exists (
            select 1 from manifest_ref r join manifest m on m.id = r.parent
            where r.repository = ${row.repository} and r.child = ${row.digest}
              and m.state = 'live') then null else cast(${row.now} as bigint) end`,
          created_at: row.now,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returning('digest'),
)

export function contentOf(tx: Tx, id: number): Promise<{ id: number; size: number }> {
  return tx
    .selectFrom('content')
    .select(['id', 'size'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
}

/** A live manifest of the repository that refers to the digest. */
export function parentOf(tx: Tx, repository: number, child: Digest) {
  return tx
    .selectFrom('manifest_ref')
    .innerJoin('manifest', 'manifest.id', 'manifest_ref.parent')
    .select('manifest.digest')
    .where('manifest_ref.repository', '=', repository)
    .where('manifest_ref.child', '=', child)
    .where('manifest.state', '=', LIVE)
    .limit(1)
    .executeTakeFirst()
}
