import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Activity } from './activity.ts'
import { chunked } from './chunked.ts'

/*
 * When manifests and tags were pulled last. Pulls write nothing: they are gathered in memory and
 * written now and then, to the second, in batches. A process that is killed forgets the last ones.
 */

const FLUSH_MS = 10_000
/** So many different ones are not kept waiting. */
const MOST_GATHERED = 10_000

/** A pull, by the ids of its rows; `tag` when it was asked for by tag. */
export interface Pull {
  manifest: number
  tag?: number | undefined
}

export interface Pulls {
  note(pull: Pull): void
  /** Writes what was gathered. */
  flush(): Promise<void>
  /** Writes the rest and ends. */
  stop(): Promise<void>
}

export function createPulls(deps: {
  db: Db
  clock: Clock
  log: Log
  /** Counts them. */
  activity?: Pick<Activity, 'pulled'>
}): Pulls {
  const { db, clock, log, activity } = deps
  let manifests = new Map<number, number>()
  let tags = new Map<number, number>()
  let writing = Promise.resolve()

  async function write(
    pulledManifests: Map<number, number>,
    pulledTags: Map<number, number>,
  ): Promise<void> {
    for (const [at, ids] of bySecond(pulledManifests)) {
      for (const some of chunked(ids)) {
        await db.transaction((tx) => writeManifests(db, tx, some, at), { durable: false })
      }
    }
    for (const [at, ids] of bySecond(pulledTags)) {
      for (const some of chunked(ids)) {
        await db.transaction((tx) => writeTags(db, tx, some, at), { durable: false })
      }
    }
  }

  function flush(): Promise<void> {
    const gathered = [manifests, tags] as const
    manifests = new Map()
    tags = new Map()
    writing = writing
      .then(() => write(...gathered))
      .catch((error: unknown) => log.warn('times of pulls not written', { error }))
    return writing
  }

  const timer = setInterval(() => {
    if (manifests.size > 0) void flush()
  }, FLUSH_MS)

  return {
    note({ manifest, tag }) {
      activity?.pulled(manifest)
      const second = Math.floor(clock() / 1000) * 1000
      manifests.set(manifest, second)
      if (tag !== undefined) tags.set(tag, second)
      if (manifests.size >= MOST_GATHERED) void flush()
    },
    flush,
    async stop() {
      clearInterval(timer)
      await flush()
    },
  }
}

function bySecond(pulled: Map<number, number>): Map<number, number[]> {
  return Map.groupBy(pulled.keys(), (id) => pulled.get(id) ?? 0)
}

/* Locked in one order, so that processes that write the same rows never wait in a circle. */

async function writeManifests(db: Db, tx: Tx, ids: number[], at: number): Promise<void> {
  const rows = tx
    .selectFrom('manifest')
    .select('id')
    .where('id', 'in', ids)
    .where('state', '=', LIVE)
    .orderBy('id')
  await db.engine.lockRows(rows, 'noKeyUpdate').execute()
  await tx
    .updateTable('manifest')
    .set({ pulled_at: at })
    .where('id', 'in', ids)
    .where('state', '=', LIVE)
    .where((eb) => eb.or([eb('pulled_at', 'is', null), eb('pulled_at', '<', at)]))
    .execute()
}

async function writeTags(db: Db, tx: Tx, ids: number[], at: number): Promise<void> {
  const rows = tx.selectFrom('tag').select('id').where('id', 'in', ids).orderBy('id')
  await db.engine.lockRows(rows, 'noKeyUpdate').execute()
  await tx
    .updateTable('tag')
    .set({ pulled_at: at })
    .where('id', 'in', ids)
    .where((eb) => eb.or([eb('pulled_at', 'is', null), eb('pulled_at', '<', at)]))
    .execute()
}
