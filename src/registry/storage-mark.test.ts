import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import {
  createPostgresTest,
  createSqliteTest,
  type TestDatabase,
} from '../store/db/test-databases.ts'
import { checkStorageMark, forgetStorageMark } from './storage-mark.ts'

setDefaultTimeout(120_000)

let folder: string
let database: TestDatabase
let db: Db
let sqlite: TestDatabase
beforeAll(async () => {
  database = await createPostgresTest()
  sqlite = await createSqliteTest()
  db = database.open()
  await migrate(db)
  await migrate(sqlite.open())
})
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-marks-'))
  await db.transaction(forgetStorageMark)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
afterAll(async () => {
  await database.remove()
  await sqlite.remove()
})

function replica(name: string, driver = 'file'): Config {
  const bucket = driver === 's3' ? { 'storage.s3.bucket': 'blobs' } : {}
  const url = { 'database.url': 'postgres://db.example/entrepot' }
  const flags = { data: join(folder, name), 'storage.driver': driver, ...url, ...bucket }
  return loadConfig({ flags, environment: {} }).config
}

const marksOf = (name: string) => readdirSync(join(folder, name, 'blobs'))

/** What a start says; undefined: it goes on. Each has connections of its own. */
async function start(config: Config): Promise<string | undefined> {
  try {
    await checkStorageMark(config, database.open())
    return undefined
  } catch (error) {
    if (error instanceof AppError) return error.message
    throw error
  }
}

test('the first folder is marked, and another one refused with what was found', async () => {
  expect(await start(replica('one'))).toBeUndefined()
  const [mark = ''] = marksOf('one')
  expect(mark).toMatch(/^storage-[0-9a-f]{16}$/)
  const refusal = await start(replica('two'))
  expect(refusal).toContain(`${join(folder, 'two', 'blobs')} has no mark`)
  expect(refusal).toContain('take a bucket')
  expect(refusal).toContain(`create the empty file ${join(folder, 'two', 'blobs', mark)}`)
  expect(await start(replica('one'))).toBeUndefined()
})

test('of three that start at once with folders of their own one is taken', async () => {
  const names = ['one', 'two', 'three']
  const answers = await Promise.all(names.map((name) => start(replica(name))))
  expect(answers.filter((answer) => answer === undefined).length).toBe(1)
  // Nor does another try help, whoever comes first then.
  const again = await Promise.all(names.toReversed().map((name) => start(replica(name))))
  expect(again.toReversed().map((answer) => answer === undefined)).toEqual(
    answers.map((answer) => answer === undefined),
  )
})

test('three that share one folder may start at once', async () => {
  mkdirSync(join(folder, 'shared'))
  const names = ['one', 'two', 'three']
  for (const name of names) {
    mkdirSync(join(folder, name))
    symlinkSync(join(folder, 'shared'), join(folder, name, 'blobs'))
  }
  for (let round = 0; round < 2; round++) {
    expect(await Promise.all(names.map((name) => start(replica(name))))).toEqual(
      names.map(() => undefined),
    )
    expect(marksOf('one').length).toBe(1)
  }
})

test('a start that was killed between the two is gone on with', async () => {
  await start(replica('one'))
  // The file was written, the row was not: as after a rebuild, or with an older backup.
  await db.transaction(forgetStorageMark)
  const before = marksOf('one')
  expect(await start(replica('one'))).toBeUndefined()
  expect(marksOf('one')).toEqual(before)
  expect(await start(replica('two'))).toContain('has no mark')
})

test('a folder of another installation is refused', async () => {
  await start(replica('one'))
  const settings = await db.query.selectFrom('setting').selectAll().execute()
  await db.transaction(forgetStorageMark)
  await start(replica('two'))
  await db.transaction(async (tx) => {
    await forgetStorageMark(tx)
    await tx.insertInto('setting').values(settings).execute()
  })
  expect(await start(replica('two'))).toContain(`has the mark ${marksOf('two')[0]}`)
})

test('a folder whose mark got lost is refused until somebody says that it is the one', async () => {
  await start(replica('one'))
  const [mark = ''] = marksOf('one')
  const file = join(folder, 'one', 'blobs', mark)
  unlinkSync(file)
  expect(await start(replica('one'))).toContain(file)
  await Bun.write(file, '')
  expect(await start(replica('one'))).toBeUndefined()
})

test('a bucket needs no mark, nor does SQLite', async () => {
  expect(await start(replica('one', 's3'))).toBeUndefined()
  const { config } = loadConfig({ flags: { data: join(folder, 'two') }, environment: {} })
  await checkStorageMark(config, sqlite.open())
  expect(readdirSync(folder)).toEqual([])
})
