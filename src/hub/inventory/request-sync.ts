import { sql } from 'kysely'
import { z } from 'zod'
import type { JobType } from '../../jobs/job.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import { newHex } from '../../lib/ids.ts'
import type { Tx } from '../../store/db/database.ts'
import type { Row } from '../../store/db/schema.ts'
import type { Flag } from '../../store/db/schema-columns.ts'

const syncPayload = z.object({ sync: z.int(), registry: z.string() })

/** The reading of one registry's images. Failures are counted in its row; these are for crashes. */
export const syncJobType: JobType<typeof syncPayload> = {
  name: 'inventory.sync',
  schema: syncPayload,
  retry: { attempts: 10 },
}

export interface SyncRequest {
  registry: string
  trigger: Row<'image_sync'>['trigger']
  /** Of those that are asked for together; see `newTask`. */
  task?: string
  requestedBy?: number | null
  now: number
}

/** An id for several syncs that are asked for at once. */
export const newTask = (): string => newHex(16)

/**
 * Has the images of a registry read, in the transaction that causes it. One that is waiting or under
 * way is joined; where the registry itself was changed meanwhile another one follows it.
 * @returns the id of the sync
 */
export async function requestSync(
  queue: JobQueue,
  tx: Tx,
  { registry, trigger, task = newTask(), requestedBy = null, now }: SyncRequest,
): Promise<{ sync: number; joined: boolean }> {
  const made = await tx
    .insertInto('image_sync')
    .values({ registry, trigger, task, requested_by: requestedBy, created_at: now })
    .onConflict((conflict) =>
      conflict.column('registry').where('finished_at', 'is', null).doNothing(),
    )
    .returning('id')
    .executeTakeFirst()
  if (made) {
    const job = await queue.enqueue(tx, syncJobType, { sync: made.id, registry })
    await tx
      .updateTable('image_sync')
      .set({ job: job ?? null })
      .where('id', '=', made.id)
      .execute()
    return { sync: made.id, joined: false }
  }
  const open = await tx
    .updateTable('image_sync')
    .set(
      // One that has not begun will find the registry as it is now.
      trigger === 'change'
        ? { again: sql<Flag>`case when started_at is null then again else 1 end` }
        : (eb) => ({ again: eb.ref('again') }),
    )
    .where('registry', '=', registry)
    .where('finished_at', 'is', null)
    .returning('id')
    .executeTakeFirst()
  // It ended between the two statements.
  if (!open) return requestSync(queue, tx, { registry, trigger, task, requestedBy, now })
  return { sync: open.id, joined: true }
}
