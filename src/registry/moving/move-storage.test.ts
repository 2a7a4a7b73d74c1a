import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  setDefaultTimeout,
  test,
} from 'bun:test'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '../../lib/config.ts'
import { AppError } from '../../lib/errors.ts'
import { openBlobStore } from '../../store/blobs/open.ts'
import {
  findS3Program,
  s3SettingsOf,
  startS3Server,
  type TestS3Server,
} from '../../store/blobs/test-s3-server.ts'
import type { Db } from '../../store/db/database.ts'
import { migrate } from '../../store/db/migrate.ts'
import { openDatabase } from '../../store/db/open.ts'
import { openJournalStore } from '../../store/journal/journal-store.ts'
import { storagePlace } from '../storage-place.ts'
import { describeEstimate, estimateMove } from './estimate.ts'
import { moveInstallation } from './move.ts'

setDefaultTimeout(120_000)

const program = findS3Program()
const MIB = 1024 * 1024

let s3: TestS3Server
let folder: string
let files: Config
let bucket: Config
const blobs = new Map<string, Buffer>()

beforeAll(async () => {
  if (program) s3 = await startS3Server(program)
})
afterAll(() => s3?.stop())

beforeEach(async () => {
  if (!program) return
  folder = mkdtempSync(join(tmpdir(), 'entrepot-move-storage-'))
  files = loadConfig({ flags: { data: folder }, environment: {} }).config
  bucket = { ...files, storage: { driver: 's3', s3: s3SettingsOf(s3) } }
  await withDatabase(async (db) => {
    await migrate(db)
    await addBlobs(db)
    const times = { created_at: 1, updated_at: 1 }
    const names = { project_name: 'a', repository_name: 'b', ...times }
    await db.query
      .insertInto('upload')
      .values([
        { id: 'stored', offset: 9, storage_key: 'aa/1', ...names },
        { id: 'begun', offset: 0, storage_key: 'aa/2', ...names },
        { id: 'small', offset: 3, buffer: new Uint8Array(3), storage_key: 'aa/3', ...names },
      ])
      .execute()
  })
  const journal = await openJournalStore(files)
  await journal.put('00aa/0001.page', new Uint8Array([1, 2, 3]))
})

afterEach(() => {
  if (folder) rmSync(folder, { recursive: true, force: true })
  blobs.clear()
})

async function withDatabase<T>(run: (db: Db) => Promise<T>): Promise<T> {
  const db = await openDatabase({ dataFolder: folder })
  try {
    return await run(db)
  } finally {
    await db.close()
  }
}

/** Small ones, some that are several parts of a multipart upload, and an empty one. */
async function addBlobs(db: Db) {
  const store = await openBlobStore(files)
  for (const [i, size] of [0, 5000, 8 * MIB, 8 * MIB + 1, 20 * MIB, 70_000].entries()) {
    const bytes = Buffer.alloc(size, i + 1)
    const key = store.newKey()
    const appender = await store.append(key, { offset: 0, state: null })
    await appender.write(bytes)
    await store.complete(key, await appender.checkpoint())
    await appender.close()
    const sha256 = Bun.CryptoHasher.hash('sha256', bytes, 'hex')
    await db.query
      .insertInto('content')
      .values({ sha256, size, storage_key: key, state_at: 1, created_at: 1 })
      .execute()
    blobs.set(key, bytes)
  }
}

const move = (from: Config, target: Config, leaveDamaged = false) =>
  moveInstallation(from, { target, parallel: 3, startOver: false, leaveDamaged, onProgress() {} })

async function expectIn(config: Config) {
  const store = await openBlobStore(config)
  for (const [key, bytes] of blobs) {
    const chunks: Uint8Array[] = []
    for await (const chunk of (await store.stream(key, bytes.length)) ?? []) chunks.push(chunk)
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0)
  }
  const journal = await openJournalStore(config)
  expect(await journal.get('00aa/0001.page').then((found) => found && [...found])).toEqual([
    1, 2, 3,
  ])
}

const testS3 = test.skipIf(!program)

testS3('blobs and journal go to a bucket and back, the database stays', async () => {
  const said = describeEstimate(await estimateMove(files, bucket, { parallel: 3 }))
  expect(said.join()).toContain('to copy: 6 blobs, 36 MiB')
  const report = await move(files, bucket)
  expect(report).toMatchObject({ rows: undefined, blobs: { blobs: 6, damaged: [] } })
  await expectIn(bucket)
  await withDatabase(async (db) => {
    expect(await storagePlace(db).read()).toMatchObject({ driver: 's3' })
    const uploads = await db.query
      .selectFrom('upload')
      .select(['id', 'state'])
      .orderBy('id')
      .execute()
    expect(uploads.map(({ id, state }) => `${id} ${state}`)).toEqual([
      'begun open',
      'small open',
      'stored discarded',
    ])
  })
  expect((await move(files, bucket)).wasDone).toBe(true)

  const failure = await move(bucket, files).catch((error: unknown) => error)
  expect(failure instanceof AppError && failure.message).toContain('put the folder blobs aside')
  renameSync(join(folder, 'blobs'), join(folder, 'former'))
  rmSync(join(folder, 'journal'), { recursive: true })
  await move(bucket, files)
  await expectIn(files)
  await withDatabase(async (db) => {
    expect(await storagePlace(db).read()).toEqual({ driver: 'file' })
  })
})

testS3('nothing is in effect while a blob is damaged, unless it is to be left behind', async () => {
  const [, key = ''] = blobs.keys()
  const path = join(folder, 'blobs', key)
  writeFileSync(path, Buffer.alloc(5000, 9))
  const failure = await move(files, bucket).catch((error: unknown) => error)
  expect(failure instanceof AppError && failure.message).toContain('--leave-damaged')
  await withDatabase(async (db) => expect(await storagePlace(db).read()).toBeUndefined())
  // Put right, the next run takes it along.
  writeFileSync(path, blobs.get(key) ?? '')
  expect((await move(files, bucket)).blobs?.damaged).toEqual([])
  await expectIn(bucket)
})

testS3('a damaged blob can be left behind', async () => {
  const [, key = ''] = blobs.keys()
  rmSync(join(folder, 'blobs', key))
  expect((await move(files, bucket, true)).blobs?.damaged).toEqual([
    expect.stringContaining(`(${key}) is not there`),
  ])
  expect(await (await openBlobStore(bucket)).size(key)).toBeUndefined()
})
