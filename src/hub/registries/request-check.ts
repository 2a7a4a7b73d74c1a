import { z } from 'zod'
import type { JobType } from '../../jobs/job.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Tx } from '../../store/db/database.ts'

/** The test of one registry's connection. */
export const REGISTRY_CHECK = {
  name: 'registry.check',
  schema: z.object({ registry: z.string() }),
} as const satisfies JobType

/** Has the connection of a registry tested soon, in the transaction that made or changed it. */
export async function requestCheck(
  queue: JobQueue,
  tx: Tx,
  { id, version }: { id: string; version: number },
): Promise<void> {
  // A test of the version before may have begun already.
  const uniqueKey = `registry.check:${id}:${version}`
  await queue.enqueue(tx, REGISTRY_CHECK, { registry: id }, { uniqueKey, priority: 'high' })
}
