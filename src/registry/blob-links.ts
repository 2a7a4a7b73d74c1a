import { sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import type { Digest } from '../oci/digest.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE, statement } from '../store/db/prepared.ts'
import { linkContent, unlinkContent } from './content.ts'
import type { OpenRepository } from './repositories.ts'
import { charge, noChange, type UsageChange } from './usage.ts'

/* The rows that make a content visible in a repository, as one of its blobs. */

export function createBlobLinks({ db, clock }: { db: Db; clock: Clock }) {
  /** Makes a live, locked content visible, and books what that costs. */
  async function link(
    tx: Tx,
    repository: OpenRepository,
    digest: Digest,
    content: { id: number; size: number },
  ): Promise<void> {
    const now = clock()
    const row = { repository: repository.id, digest, content: content.id, now }
    const change = noChange()
    for (let linked = false; !linked; ) {
      const [inserted] = await insertBlob(tx, row)
      if (inserted) await linkContent(tx, repository.project.id, content, change)
      // Again when it is deleted between the two statements.
      linked = inserted !== undefined || (await relink(tx, repository, digest, content, change))
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
    digest: Digest,
    content: { id: number; size: number },
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
      await linkContent(tx, repository.project.id, content, change)
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

const insertBlob = statement(
  (on, values: { repository: number; digest: Digest; content: number; now: number }) =>
    on
      .insertInto('repository_blob')
      .values({
        repository: values.repository,
        digest: values.digest,
        content: values.content,
        // A sparse manifest may be there before its blob.
        unreferenced_since: sql<number | null>`case when exists (
          select 1 from manifest_ref r join manifest m on m.id = r.parent
          where r.repository = ${values.repository} and r.child = ${values.digest}
            and m.state = 'live') then null else cast(${values.now} as bigint) end`,
        created_at: values.now,
      })
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
