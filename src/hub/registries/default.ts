import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { Db, Tx } from '../../store/db/database.ts'
import { LOCAL } from '../runners/identity.ts'
import type { RegistryRecord } from './record.ts'

/*
 * One row points at the default. Whoever changes registries locks it before anything else, so that
 * names, scopes and the default are decided by one at a time. It is null only while no registry may
 * be elected.
 */

/** Locks the row and says what it points at. */
export async function lockDefault(db: Db, tx: Tx): Promise<string | null> {
  const { registry } = await db.engine
    .lockRows(tx.selectFrom('registry_default').select('registry').where('id', '=', 1), 'update')
    .executeTakeFirstOrThrow()
  return registry
}

/**
 * The row must be locked. One that is promoted stays electable.
 * @throws AppError invalid_input when only a runner can speak to it
 */
export async function promote(tx: Tx, registry: RegistryRecord): Promise<void> {
  if (registry.connectClusterId !== LOCAL) {
    throw new AppError(
      'invalid_input',
      `"${registry.name}" cannot be the default: only its runner can speak to it, and pipelines everywhere need the default`,
      {
        field: 'isDefault',
        ...because('registry_default_by_runner', { name: registry.name }),
      },
    )
  }
  await pointTo(tx, registry.id)
  if (!registry.electable) {
    await tx.updateTable('registry').set({ electable: 1 }).where('id', '=', registry.id).execute()
  }
}

export async function pointTo(tx: Tx, registry: string | null): Promise<void> {
  await tx.updateTable('registry_default').set({ registry }).where('id', '=', 1).execute()
}

/** Some registry other than this one that could be elected. */
export async function isAnotherElectable(tx: Tx, registry: string): Promise<boolean> {
  const row = await tx
    .selectFrom('registry')
    .select('id')
    .where('electable', '=', 1)
    .where('id', '!=', registry)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
