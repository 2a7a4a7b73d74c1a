import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { type Config, loadConfig } from '../lib/config.ts'
import { AppError } from '../lib/errors.ts'
import { openBlobStore } from '../store/blobs/open.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import { openDatabase } from '../store/db/open.ts'
import { createPostgresTest, type TestDatabase } from '../store/db/test-databases.ts'
import { checkDatabasePlace, checkStoragePlace } from './place-check.ts'

setDefaultTimeout(120_000)

let folder: string
let postgres: TestDatabase | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-places-'))
})

afterEach(async () => {
  await postgres?.remove()
  postgres = undefined
  rmSync(folder, { recursive: true, force: true })
})

function settings(flags: Record<string, unknown> = {}): Config {
  return loadConfig({ flags: { data: folder, ...flags }, environment: {} }).config
}
async function onPostgres(more: Record<string, unknown> = {}) {
  postgres ??= await createPostgresTest()
  return settings({ 'database.url': postgres.location.url, ...more })
}
const onBucket = (more: Record<string, unknown> = {}) =>
  settings({ 'storage.driver': 's3', 'storage.s3.bucket': 'blobs', ...more })

/** What a start does with the settings; undefined: it starts. */
async function start(config: Config, work?: (db: Db) => Promise<unknown>) {
  const db = await openDatabase({ url: config.database.url, dataFolder: config.data })
  try {
    await checkDatabasePlace(config, db)
    await migrate(db)
    // Buckets are looked at by their names here: none of them is there.
    await checkStoragePlace(config, db, await openBlobStore(settings({ data: config.data })))
    const times = { created_at: 1, updated_at: 1 }
    await db.query
      .insertInto('account')
      .values({ kind: 'user', name: 'admin', ...times })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    await work?.(db)
    return undefined
  } catch (error) {
    if (error instanceof AppError) return error.message
    throw error
  } finally {
    await db.close()
  }
}

/** A content that is stored, or only said to be. */
async function addContent(db: Db, config: Config, isStored = true) {
  const store = await openBlobStore({ ...config, storage: { ...config.storage, driver: 'file' } })
  const key = store.newKey()
  if (isStored) {
    const appender = await store.append(key, { offset: 0, state: null })
    await appender.write(new Uint8Array(5000))
    await store.complete(key, await appender.checkpoint())
    await appender.close()
  }
  await db.query
    .insertInto('content')
    .values({ sha256: key, size: 5000, storage_key: key, state_at: 1, created_at: 1 })
    .execute()
}

test('another database than the one that the data folder knows is refused', async () => {
  expect(await start(settings())).toBeUndefined()
  expect(await start(await onPostgres())).toContain('entrepot migrate --to-database postgres://…')
  // It was not touched, so that the move finds it empty.
  const db = postgres?.open()
  expect(await db?.query.introspection.getTables({ withInternalKyselyTables: true })).toEqual([])
  expect(await start(settings())).toBeUndefined()
})

test('also where no start has written the database down yet', async () => {
  expect(await start(settings())).toBeUndefined()
  rmSync(join(folder, 'installation.json'))
  expect(await start(await onPostgres())).toContain('SQLite in the data folder')
  expect(await start(settings())).toBeUndefined()
  expect(existsSync(join(folder, 'installation.json'))).toBe(true)
})

test('SQLite is refused where the data folder knows PostgreSQL', async () => {
  expect(await start(await onPostgres())).toBeUndefined()
  expect(await start(settings())).toContain('entrepot migrate --to-database sqlite')
})

test('PostgreSQL may answer to another name, but must hold the same installation', async () => {
  expect(await start(await onPostgres())).toBeUndefined()
  const url = postgres?.location.url?.replace('127.0.0.1', 'localhost')
  expect(await start(await onPostgres({ 'database.url': url }))).toBeUndefined()
  const other = await createPostgresTest()
  expect(await start(settings({ 'database.url': other.location.url }))).toContain(
    'nothing in it yet',
  )
  await other.remove()
})

test('a move that was not finished is refused', async () => {
  const db = await openDatabase({ dataFolder: folder })
  await sql`create table moving (key text primary key, value text)`.execute(db.query)
  await db.close()
  expect(await start(settings())).toContain('was not finished')
})

test('another storage than the one of the blobs is refused', async () => {
  const full = (db: Db) => addContent(db, settings())
  expect(await start(settings(), full)).toBeUndefined()
  expect(await start(onBucket())).toContain('entrepot migrate --to-storage s3://blobs')
  expect(await start(settings())).toBeUndefined()
})

test('while there are no blobs the storage may be chosen anew', async () => {
  expect(await start(settings())).toBeUndefined()
  expect(await start(onBucket())).toBeUndefined()
  const full = (db: Db) => addContent(db, settings())
  expect(await start(onBucket({ 'storage.s3.prefix': 'a' }), full)).toBeUndefined()
  expect(await start(onBucket({ 'storage.s3.prefix': 'b' }))).toContain('s3://blobs/a')
  expect(await start(settings())).toContain('--to-storage file')
})

test('a bucket may answer at another address, where the blobs are found', async () => {
  const elsewhere = onBucket({ 'storage.s3.endpoint': 'http://other.example' })
  expect(await start(onBucket(), (db) => addContent(db, settings()))).toBeUndefined()
  expect(await start(elsewhere)).toBeUndefined()
  expect(
    await start(elsewhere, (db) =>
      db.query
        .updateTable('content')
        .set({ storage_key: 'ff/000000000000000000000000000000' })
        .execute(),
    ),
  ).toBeUndefined()
  expect(await start(onBucket())).toContain('none of the latest 1 blobs')
})

test('another data folder beside PostgreSQL must have the files', async () => {
  const config = await onPostgres()
  expect(await start(config, (db) => addContent(db, config))).toBeUndefined()
  const other = mkdtempSync(join(tmpdir(), 'entrepot-places-other-'))
  expect(await start(await onPostgres({ data: other }))).toContain('none of the latest')
  rmSync(other, { recursive: true, force: true })
})

test('replicas on one PostgreSQL with folders of their own are refused, also while there are no blobs', async () => {
  const config = await onPostgres()
  expect(await start(config)).toBeUndefined()
  const other = mkdtempSync(join(tmpdir(), 'entrepot-places-other-'))
  expect(await start(await onPostgres({ data: other }))).toContain('has no mark')
  // Not after another storage was chosen meanwhile.
  expect(
    await start(await onPostgres({ 'storage.driver': 's3', 'storage.s3.bucket': 'b' })),
  ).toBeUndefined()
  expect(await start(await onPostgres({ data: other }))).toBeUndefined()
  expect(await start(config)).toContain('has the mark')
  rmSync(other, { recursive: true, force: true })
})

test('who has none of the blobs does not mark its folder', async () => {
  const config = await onPostgres()
  expect(
    await start(config, async (db) => {
      await addContent(db, config)
      // As after a move of the database: nobody has started on it.
      await db.query.deleteFrom('setting').where('key', '=', 'installation.storage-mark').execute()
    }),
  ).toBeUndefined()
  const other = mkdtempSync(join(tmpdir(), 'entrepot-places-other-'))
  expect(await start(await onPostgres({ data: other }))).toContain('none of the latest')
  expect(await start(config)).toBeUndefined()
  rmSync(other, { recursive: true, force: true })
})
