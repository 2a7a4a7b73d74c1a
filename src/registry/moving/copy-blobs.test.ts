import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { BlobStore } from '../../store/blobs/blob-store.ts'
import { openFileStore } from '../../store/blobs/file-store.ts'
import type { Db } from '../../store/db/database.ts'
import { createMigrated, type TestDatabase } from '../../store/db/test-databases.ts'
import { copyBlobs, demandEmpty } from './copy-blobs.ts'

let folder: string
let from: BlobStore
let to: BlobStore
let db: Db
let database: TestDatabase
let keys: string[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-move-blobs-'))
  from = await openFileStore(join(folder, 'from'))
  to = await openFileStore(join(folder, 'to'))
  ;({ db, test: database } = await createMigrated())
  keys = []
  for (let i = 0; i < 120; i++) keys.push(await addBlob(new Uint8Array(5000 + i).fill(i)))
})

afterEach(async () => {
  await database.remove()
  rmSync(folder, { recursive: true, force: true })
})

async function addBlob(bytes: Uint8Array): Promise<string> {
  const key = from.newKey()
  const appender = await from.append(key, { offset: 0, state: null })
  await appender.write(bytes)
  await from.complete(key, await appender.checkpoint())
  await appender.close()
  const row = { size: bytes.length, storage_key: key, state_at: 1, created_at: 1 }
  const sha256 = Bun.CryptoHasher.hash('sha256', bytes, 'hex')
  await db.query
    .insertInto('content')
    .values({ sha256, ...row })
    .execute()
  return key
}

const copy = (more: Partial<Parameters<typeof copyBlobs>[0]> = {}) =>
  copyBlobs({
    db,
    from,
    to,
    parallel: 3,
    after: 0,
    damaged: [],
    noteDone: async () => {},
    onProgress: () => {},
    ...more,
  })

async function readAll(store: BlobStore, key: string): Promise<Buffer> {
  const size = (await store.size(key)) ?? 0
  const chunks: Uint8Array[] = []
  for await (const chunk of (await store.stream(key, size)) ?? []) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function expectCopied(some: readonly string[]) {
  for (const key of some) expect(await readAll(to, key)).toEqual(await readAll(from, key))
}

test('every blob arrives under its own key', async () => {
  await demandEmpty(to)
  expect(await copy()).toEqual([])
  await expectCopied(keys)
  const error = await demandEmpty(to).catch((reason: unknown) => reason)
  expect(isAppError(error, 'conflict')).toBe(true)
})

test('a run that was killed goes on behind what is surely there, and looks at the rest again', async () => {
  const noted: number[] = []
  const noteDone = async (id: number) => {
    noted.push(id)
    if (noted.length === 2) throw new Error('killed')
  }
  await copy({ noteDone }).catch(() => {})
  expect(noted).toEqual([50, 100])
  // After the last note: one that is whole, one with other bytes of the same size, one cut short.
  await copy({ after: 100 })
  const path = (i: number) => join(folder, 'to', keys[i] ?? '')
  writeFileSync(path(110), new Uint8Array(5110))
  writeFileSync(path(111), new Uint8Array(7))
  // Before it nothing is read again.
  rmSync(path(3))
  expect(await copy({ after: 100 })).toEqual([])
  await expectCopied(keys.filter((_, i) => i !== 3))
  expect(await to.size(keys[3] ?? '')).toBeUndefined()
})

test('a damaged blob is told and left behind, and taken along when it was put right', async () => {
  const [, wrong = '', short = '', gone = ''] = keys
  const right = await readAll(from, wrong)
  writeFileSync(join(folder, 'from', wrong), new Uint8Array(right.length))
  writeFileSync(join(folder, 'from', short), new Uint8Array(9))
  rmSync(join(folder, 'from', gone))
  let noted: readonly number[] = []
  const damaged = await copy({
    noteDone: async (_, ids) => {
      noted = ids
    },
  })
  expect(damaged.map(({ id }) => id).sort()).toEqual([2, 3, 4])
  expect(noted.toSorted()).toEqual([2, 3, 4])
  expect(await to.size(wrong)).toBeUndefined()

  writeFileSync(join(folder, 'from', wrong), right)
  const still = await copy({ after: 120, damaged: noted })
  expect(still.map(({ id }) => id).sort()).toEqual([3, 4])
  await expectCopied([wrong])
})

test('a storage that does not answer for a moment is waited for', async () => {
  let failures = 2
  const stumbling: BlobStore = {
    ...to,
    async append(key, position) {
      if (failures-- > 0) throw new AppError('unavailable', 'not now')
      return to.append(key, position)
    },
  }
  expect(await copy({ to: stumbling, after: 115 })).toEqual([])
  await expectCopied(keys.slice(115))
}, 20_000)
