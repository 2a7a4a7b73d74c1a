import { randomInt } from 'node:crypto'
import type { Db } from '../store/db/database.ts'

const SETTING = 'installation.id'

/** What tells this installation from others, for faces whose callers expect a tenant. */
export interface Installation {
  /** 19 decimal digits, made when it is first asked for; the same in all processes, for ever. */
  id(): Promise<string>
}

export function createInstallation({ db }: { db: Db }): Installation {
  let known: string | undefined

  const stored = () =>
    db.query.selectFrom('setting').select('value').where('key', '=', SETTING).executeTakeFirst()

  async function make(): Promise<string> {
    const value = newId()
    await db.transaction((tx) =>
      tx
        .insertInto('setting')
        .values({ key: SETTING, value })
        .onConflict((conflict) => conflict.column('key').doNothing())
        .execute(),
    )
    return (await stored())?.value ?? value
  }

  return {
    async id() {
      known ??= (await stored())?.value ?? (await make())
      return known
    },
  }
}

function newId(): string {
  const half = () => String(randomInt(1_000_000_000)).padStart(9, '0')
  return `1${half()}${half()}`
}
