import { randomInt } from 'node:crypto'
import type { Db, Queryable, Tx } from '../store/db/database.ts'

const SETTING = 'installation.id'

/** What tells this installation from others, for faces whose callers expect a tenant. */
export interface Installation {
  /** 19 decimal digits, made when it is first asked for; the same in all processes, for ever. */
  id(): Promise<string>
}

export function createInstallation({ db }: { db: Db }): Installation {
  let known: string | undefined

  async function make(): Promise<string> {
    const value = newId()
    await db.transaction((tx) => keepInstallationId(tx, value))
    return (await storedInstallationId(db.query)) ?? value
  }

  return {
    async id() {
      known ??= (await storedInstallationId(db.query)) ?? (await make())
      return known
    },
  }
}

/** undefined: nobody has asked for it yet. */
export async function storedInstallationId(on: Queryable): Promise<string | undefined> {
  const row = await on
    .selectFrom('setting')
    .select('value')
    .where('key', '=', SETTING)
    .executeTakeFirst()
  return row?.value
}

/** Makes `value` the id, unless there is one. */
export async function keepInstallationId(tx: Tx, value: string): Promise<void> {
  await tx
    .insertInto('setting')
    .values({ key: SETTING, value })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute()
}

function newId(): string {
  const half = () => String(randomInt(1_000_000_000)).padStart(9, '0')
  return `1${half()}${half()}`
}
