import type { Clock } from '../lib/clock.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { statements } from '../store/db/prepared.ts'
import { chunked } from './chunked.ts'

/** One move of a tag. */
export interface TagMove {
  id: number
  /** null: the tag was new. */
  oldDigest: string | null
  /** null: the tag was deleted. */
  newDigest: string | null
  /** Who moved it, by the present name; null: nobody who is known now. */
  actor: string | null
  at: number
  reason: string
}

/** A move as it happens. */
export interface NewTagMove {
  repository: number
  name: string
  oldDigest: string | null
  newDigest: string | null
  actor: number | null
  reason: string
}

export interface TagHistory {
  /** Writes what becomes of tags, in the transaction that does it. */
  remember(tx: Tx, moves: readonly NewTagMove[]): Promise<void>
  /**
   * The moves of a tag, newest first; it need not exist any more.
   * @param page.before only moves with a smaller id
   */
  history(
    repository: number,
    tag: string,
    page: { before?: number; limit: number },
  ): Promise<TagMove[]>
}

export function createTagHistory({ db, clock }: { db: Db; clock: Clock }): TagHistory {
  return {
    async remember(tx, moves) {
      const at = clock()
      for (const some of chunked(moves)) {
        await insertMoves(
          tx,
          some.map((move) => ({ ...move, at })),
        )
      }
    },

    history(repository, tag, { before, limit }) {
      let query = db.query
        .selectFrom('tag_history')
        .leftJoin('account', 'account.id', 'tag_history.actor')
        .select([
          'tag_history.id as id',
          'tag_history.old_digest as oldDigest',
          'tag_history.new_digest as newDigest',
          'account.name as actor',
          'tag_history.at as at',
          'tag_history.reason as reason',
        ])
        .where('tag_history.repository', '=', repository)
        .where('tag_history.name', '=', tag)
        .orderBy('tag_history.id', 'desc')
        .limit(limit)
      if (before !== undefined) query = query.where('tag_history.id', '<', before)
      return query.execute()
    },
  }
}

const insertMoves = statements(
  (on, moves: (NewTagMove & { at: number })[]) =>
    on.insertInto('tag_history').values(
      moves.map((move) => ({
        repository: move.repository,
        name: move.name,
        old_digest: move.oldDigest,
        new_digest: move.newDigest,
        actor: move.actor,
        at: move.at,
        reason: move.reason,
      })),
    ),
  { deferred: true },
)
