import { writeSync } from 'node:fs'
import { migrate } from './migrate.ts'
import { type DatabaseOptions, openDatabase } from './open.ts'

/*
 * What another process does to a database in `processes.test.ts`; the arguments are the verb and
 * the database's location as JSON.
 */

const [verb, location = '{}', count = '0'] = process.argv.slice(2)
const db = await openDatabase(JSON.parse(location) as DatabaseOptions)

/** Adds one to the setting `n`, `count` times, up to twenty at once. */
async function increment() {
  let left = Number(count)
  const one = async () => {
    while (left-- > 0) {
      await db.transaction(async (tx) => {
        const { value } = await db.engine
          .lockRows(tx.selectFrom('setting').select('value').where('key', '=', 'n'), 'update')
          .executeTakeFirstOrThrow()
        await tx
          .updateTable('setting')
          .set({ value: String(Number(value) + 1) })
          .where('key', '=', 'n')
          .execute()
      })
    }
  }
  await Promise.all(Array.from({ length: 20 }, one))
}

/** Inserts rows until it is killed, and prints the key of each that was acknowledged. */
async function acknowledge() {
  await Promise.all(
    Array.from({ length: 20 }, async (_, writer) => {
      for (let i = 0; ; i++) {
        const key = `${writer}-${i}`
        await db.transaction((tx) => tx.insertInto('setting').values({ key, value: '' }).execute())
        writeSync(1, `${key}\n`)
      }
    }),
  )
}

/** Writes `count` MiB, never waiting for the disk. */
async function fill() {
  let left = Number(count) * 1024 * 1024
  await Promise.all(
    Array.from({ length: 4 }, async (_, writer) => {
      const row = { key: `${process.pid}-${writer}`, value: 'x'.repeat(32 * 1024) }
      while (left > 0) {
        left -= row.value.length
        await db.transaction((tx) => tx.replaceInto('setting').values(row).execute(), {
          durable: false,
        })
      }
    }),
  )
}

if (verb === 'migrate') await migrate(db)
if (verb === 'increment') await increment()
if (verb === 'acknowledge') await acknowledge()
if (verb === 'fill') await fill()
await db.close()
