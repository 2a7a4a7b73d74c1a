import type { Kysely } from 'kysely'
import type { Engine } from '../engine.ts'

/** Beside the error of a job what it says, as 0048 did for others. */
export async function jobReasons(db: Kysely<unknown>, _engine: Engine): Promise<void> {
  await db.schema.alterTable('job').addColumn('error_says', 'text').execute()
}
