import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import { takeFolderLock } from '../../lib/folder-lock.ts'
import type { Db } from '../../store/db/database.ts'
import { MIGRATION_NAMES, migrate } from '../../store/db/migrate.ts'
import { openDatabase } from '../../store/db/open.ts'
import { countRows, hasTable, MOVE_LOG, readCounter, readTables } from '../../store/db/tables.ts'
import { createPostgresTest, type TestDatabase } from '../../store/db/test-databases.ts'
import { sumOfRows } from './compare-rows.ts'
import { type MoveOptions, type MoveProgress, moveInstallation } from './move.ts'
import { fillTables } from './test-filled.ts'

setDefaultTimeout(120_000)

/** The tables that the code knows, from where it says so. */
async function tablesOfSchema(): Promise<string[]> {
  const text = await Bun.file(join(import.meta.dir, '../../store/db/schema.ts')).text()
  const [, body = ''] = /export interface Schema \{\n(.*?)\n\}/s.exec(text) ?? []
  return [...body.matchAll(/^ {2}(\w+): \w+Table$/gm)].map(([, name = '']) => name).sort()
}

let folder: string
/** For the tests that get so far. */
let postgres: TestDatabase | undefined
let sqlite: Config
let moved: Config

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-move-'))
  sqlite = settings()
  moved = settings({ 'database.url': 'postgres://nobody@127.0.0.1:1/none' })
  await withDatabase(sqlite, async (db) => {
    await migrate(db)
    await fillTables(db, await readTables(db))
  })
})

afterEach(async () => {
  await postgres?.remove()
  postgres = undefined
  rmSync(folder, { recursive: true, force: true })
})

/** A database to move to. */
async function makePostgres(): Promise<TestDatabase> {
  postgres = await createPostgresTest()
  moved = settings({ 'database.url': postgres.location.url })
  return postgres
}

function settings(flags: Record<string, unknown> = {}): Config {
  return loadConfig({ flags: { data: folder, ...flags }, environment: {} }).config
}

async function withDatabase<T>(config: Config, run: (db: Db) => Promise<T>): Promise<T> {
  const db = await openDatabase({ url: config.database.url, dataFolder: config.data })
  try {
    return await run(db)
  } finally {
    await db.close()
  }
}

const move = (from: Config, target: Config, more: Partial<MoveOptions> = {}) =>
  moveInstallation(from, {
    target,
    parallel: 2,
    startOver: false,
    leaveDamaged: false,
    onProgress: () => {},
    ...more,
  })

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing',
    (error: unknown) => (error instanceof AppError ? error.message : `no AppError: ${error}`),
  )

/** Rows, checksums and counters of all tables. */
const stateOf = (config: Config) =>
  withDatabase(config, async (db) => {
    const tables = await readTables(db)
    const state: Record<string, unknown> = {}
    for (const table of tables) {
      // A move writes down there that it was.
      if (table.name === 'setting') continue
      const counter = await readCounter(db, table)
      state[table.name] = [await countRows(db, table), await sumOfRows(db, table), counter]
    }
    return state
  })

test('every table of the schema is moved', async () => {
  await makePostgres()
  const wanted = await tablesOfSchema()
  expect(wanted).toContain('project')
  for (const config of [sqlite, moved]) {
    const names = await withDatabase(config, async (db) => {
      await migrate(db)
      return (await readTables(db)).map(({ name }) => name)
    })
    expect(names.sort()).toEqual(wanted)
  }
})

describe('rows', () => {
  test('go to PostgreSQL and back, all of them, and what comes next goes on there', async () => {
    await makePostgres()
    // The numbers of rows that are gone are not given again.
    await withDatabase(sqlite, (db) => db.query.deleteFrom('audit').execute())
    const before = await stateOf(sqlite)
    expect(before.audit).toEqual([0, '0', 3])
    const report = await move(sqlite, moved)
    expect(report.rows?.tables).toBe((await tablesOfSchema()).length)
    expect(await stateOf(moved)).toEqual(before)
    const marker = readFileSync(join(folder, 'installation.json'), 'utf8')
    expect(JSON.parse(marker).database).toMatch(/^127\.0\.0\.1:\d+\/test_/)
    expect(marker).not.toContain('entrepot:')
    expect(existsSync(join(folder, 'moving.json'))).toBe(false)

    await withDatabase(moved, async (db) => {
      const { id } = await db.query
        .insertInto('project')
        .values({ name: 'next', is_public: 0, created_at: 1, updated_at: 1 })
        .returning('id')
        .executeTakeFirstOrThrow()
      expect(id).toBe(4)
      // The triggers of the journal are awake again.
      const noted = await db.query
        .selectFrom('journal_change')
        .select('kind')
        .where('owner', '=', id)
        .where('kind', '=', 'project')
        .executeTakeFirst()
      expect(noted?.kind).toBe('project')
    })

    const after = await stateOf(moved)
    for (const name of ['entrepot.db', 'entrepot.db-wal', 'entrepot.db-shm', 'entrepot.db-turn']) {
      rmSync(join(folder, name), { force: true })
    }
    await move(moved, sqlite)
    expect(await stateOf(sqlite)).toEqual(after)
    await withDatabase(sqlite, async (db) => {
      const note = () =>
        db.query.selectFrom('journal_change').select(({ fn }) => fn.countAll<number>().as('n'))
      const { n } = await note().executeTakeFirstOrThrow()
      await db.query.updateTable('project').set({ name: 'other' }).where('id', '=', 4).execute()
      expect((await note().executeTakeFirstOrThrow()).n).toBe(n + 1)
    })
  })

  test('a run that ended in the middle is gone on with', async () => {
    await makePostgres()
    // So many that their copy takes several batches.
    const rows = (table: string) =>
      ['account', 'audit', 'login_failure'].includes(table) ? 1100 : 3
    await withDatabase(sqlite, async (db) => fillTables(db, await readTables(db), rows))
    const before = await stateOf(sqlite)
    const seen: string[] = []
    for (const last of [2, 5, 11]) {
      let left = last
      const onProgress = (progress: MoveProgress) => {
        if (progress.part === 'rows') seen.push(`${progress.table} ${progress.rows}`)
        if (--left === 0) throw new AppError('unavailable', 'killed')
      }
      expect(await failureOf(move(sqlite, moved, { onProgress }))).toBe('killed')
    }
    await withDatabase(moved, async (db) => expect(await hasTable(db, MOVE_LOG)).toBe(true))
    await move(sqlite, moved)
    expect(new Set(seen).size).toBe(seen.length)
    expect(await stateOf(moved)).toEqual(before)
    await withDatabase(moved, async (db) => expect(await hasTable(db, MOVE_LOG)).toBe(false))
    expect((await move(sqlite, moved)).wasDone).toBe(true)
    const bucket = settings({ 'storage.driver': 's3', 'storage.s3.bucket': 'blobs' })
    const both = { ...moved, storage: bucket.storage }
    expect(await failureOf(move(sqlite, both))).toContain('the database was moved before')
  })

  test('a source that was used after the move is told when it is run once more', async () => {
    await makePostgres()
    await move(sqlite, moved)
    expect((await move(sqlite, moved)).wasDone).toBe(true)
    await withDatabase(sqlite, (db) =>
      db.query.updateTable('account').set({ display_name: 'Other' }).where('id', '=', 1).execute(),
    )
    expect(await failureOf(move(sqlite, moved))).toContain('what changed there since is not in')
  })

  test('a source that changed after the move began is told, and copied again when asked to', async () => {
    await makePostgres()
    let steps = 0
    const onProgress = () => {
      if (++steps === 20) throw new AppError('unavailable', 'killed')
    }
    await failureOf(move(sqlite, moved, { onProgress }))
    await withDatabase(sqlite, (db) =>
      db.query.updateTable('account').set({ display_name: 'Other' }).where('id', '=', 1).execute(),
    )
    expect(await failureOf(move(sqlite, moved))).toContain('run it again with --start-over')
    await move(sqlite, moved, { startOver: true })
    expect(await stateOf(moved)).toEqual(await stateOf(sqlite))
  })
})

describe('what stands in the way', () => {
  test('a server that runs on the data folder', async () => {
    const lock = takeFolderLock(folder)
    expect(await failureOf(move(sqlite, moved))).toContain('stop it first')
    lock.release()
  })

  test('a database that is not empty', async () => {
    await makePostgres()
    await withDatabase(moved, (db) => migrate(db))
    expect(await failureOf(move(sqlite, moved))).toContain('is not empty')
  })

  test('a database into which another installation is being moved', async () => {
    await makePostgres()
    const onProgress = () => {
      throw new AppError('unavailable', 'killed')
    }
    await failureOf(move(sqlite, moved, { onProgress }))
    await withDatabase(sqlite, (db) =>
      db.query
        .updateTable('setting')
        .set({ value: '7' })
        .where('key', '=', 'installation.id')
        .execute(),
    )
    expect(await failureOf(move(sqlite, moved))).toContain('another installation')
  })

  test('a source of another version', async () => {
    rmSync(join(folder, 'entrepot.db'))
    await withDatabase(sqlite, (db) => migrate(db, MIGRATION_NAMES.slice(0, -1)))
    expect(await failureOf(move(sqlite, moved))).toContain('an older version')
  })

  test('a folder without an installation', async () => {
    const empty = settings({ data: join(folder, 'none') })
    expect(await failureOf(move(empty, moved))).toContain('nothing to move')
  })

  test('servers that are connected to PostgreSQL', async () => {
    const server = (await makePostgres()).open()
    await move(sqlite, moved)
    await server.query.selectFrom('setting').select('key').execute()
    const back = { ...sqlite, data: join(folder, 'back') }
    expect(await failureOf(move({ ...moved, data: back.data }, back))).toContain('stop them all')
  })
})
