import { afterEach, expect, test } from 'bun:test'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { MIGRATION_NAMES } from './migrate.ts'
import type { DatabaseOptions } from './open.ts'
import { openSqlite } from './sqlite.ts'
import {
  createMigrated,
  createSqliteTest,
  onEachEngine,
  type TestDatabase,
} from './test-databases.ts'

onEachEngine('several processes', (create) => {
  let database: TestDatabase

  afterEach(() => database.remove())

  test('that start on an empty database at once all find it migrated', async () => {
    database = await create()
    const started = Array.from({ length: 3 }, () => start('migrate', database.location))
    expect(await Promise.all(started.map(outcome))).toEqual([OK, OK, OK])
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(
      database.open().query,
    )
    expect(rows.map((row) => row.name).sort()).toEqual(MIGRATION_NAMES)
  })

  test('that count in one row lose no step', async () => {
    const { db, test } = await createMigrated(create)
    database = test
    await db.query.insertInto('setting').values({ key: 'n', value: '0' }).execute()
    const started = Array.from({ length: 3 }, () => start('increment', database.location, '100'))
    expect(await Promise.all(started.map(outcome))).toEqual([OK, OK, OK])
    const row = await db.query.selectFrom('setting').select('value').executeTakeFirstOrThrow()
    expect(row.value).toBe('300')
  })
})

test('what a process acknowledged is there after it was killed in the middle of a batch', async () => {
  const { db, test: database } = await createMigrated(createSqliteTest)
  try {
    await db.close()
    for (let round = 0; round < 3; round++) {
      const writer = start('acknowledge', database.location)
      const acknowledged = await linesUntil(writer.stdout, 300 + round * 211, () =>
        writer.kill('SIGKILL'),
      )
      await writer.exited
      const reopened = database.open()
      const kept = new Set(
        (await reopened.query.selectFrom('setting').select('key').execute()).map((row) => row.key),
      )
      expect(acknowledged.length).toBeGreaterThanOrEqual(300)
      expect(acknowledged.filter((key) => !kept.has(key))).toEqual([])
      const check = await sql`select * from pragma_integrity_check`.execute(reopened.query)
      expect(check.rows).toEqual([{ integrity_check: 'ok' }])
      await reopened.query.deleteFrom('setting').execute()
      await reopened.close()
    }
  } finally {
    await database.remove()
  }
})

test('the log stays short while two processes write and a third one makes checkpoints', async () => {
  const { test: database } = await createMigrated(createSqliteTest)
  const file = join(database.location.dataFolder, 'entrepot.db')
  const db = openSqlite({ file, checkpoints: false, logLimit: 4 * MIB })
  try {
    const location = { ...database.location, checkpoints: false }
    const started = [start('fill', location, '60'), start('fill', location, '60')]
    const ended = Promise.all(started.map(outcome))
    let writing = true
    void ended.then(() => {
      writing = false
    })
    let longest = 0
    while (writing) {
      await db.checkpoint()
      longest = Math.max(longest, statSync(`${file}-wal`).size)
      await Bun.sleep(30)
    }
    expect(await ended).toEqual([OK, OK])
    // Checkpoints that only move what they can leave all 120 MiB in it.
    expect(longest).toBeLessThan(40 * MIB)
  } finally {
    await db.close()
    await database.remove()
  }
})

const MIB = 1024 * 1024
const OK = { code: 0, errors: '' }

function start(verb: string, location: DatabaseOptions, ...more: string[]) {
  const script = new URL('test-process.ts', import.meta.url).pathname
  return Bun.spawn([process.execPath, script, verb, JSON.stringify(location), ...more], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
}

async function outcome(child: ReturnType<typeof start>) {
  const errors = await new Response(child.stderr).text()
  return { code: await child.exited, errors }
}

/** All complete lines of a stream to its end; calls `enough` once when there are `count`. */
async function linesUntil(
  stream: ReadableStream<Uint8Array>,
  count: number,
  enough: () => void,
): Promise<string[]> {
  let text = ''
  let called = false
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true })
    if (!called && text.split('\n').length > count) {
      called = true
      enough()
    }
  }
  return text.split('\n').slice(0, -1)
}
