import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { sql } from 'kysely'
import { codeOf } from '../accounts/test-accounts.ts'
import type { Db, Tx } from '../store/db/database.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  bodyOf,
  createGate,
  createTestRegistry,
  digestOf,
  nameOf,
  noise,
  ownerOf,
  pushBlob,
  pusher,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'
import { usageOf } from './usage.ts'

const COUNT = 40

onEachEngine('blobs that are committed together', (create) => {
  let registry: TestRegistry
  let process: TestProcess
  let transactions = 0
  let onTransaction: ((tx: Tx) => Promise<void>) | undefined

  /** Counts those that wait for the disk. */
  function counted(db: Db): Db {
    return {
      ...db,
      transaction(work, options) {
        if (options?.durable === false) return db.transaction(work, options)
        transactions++
        return db.transaction(async (tx) => {
          await onTransaction?.(tx)
          return work(tx)
        }, options)
      },
    }
  }

  beforeAll(async () => {
    registry = await createTestRegistry(create, { db: counted })
    process = registry.first
  })
  afterAll(() => registry.remove())
  afterEach(async () => {
    onTransaction = undefined
    expect(await registry.problems()).toEqual([])
    expect(await process.db.query.selectFrom('upload').selectAll().execute()).toEqual([])
  })

  const bytesOf = (seed: number, i: number) => noise(i % 3 === 0 ? 6_000 : 100 + i, seed + i)

  /** Sessions of a repository that is there, and what finishes each of them. */
  async function begin(repository: string, seed: number) {
    await pushBlob(process, repository, noise(50, seed - 1))
    const owner = ownerOf(repository)
    const ids = await Promise.all(
      Array.from({ length: COUNT }, async () => (await process.uploads.start(owner)).id),
    )
    const finish = (i: number, onAuthorized?: () => void) => {
      const bytes = bytesOf(seed, i)
      const request = {
        digest: digestOf(bytes),
        body: bodyOf(bytes),
        async authorizeCommit() {
          onAuthorized?.()
          return pusher
        },
      }
      return process.uploads.finish(ids[i] ?? '', owner, request)
    }
    return { owner, ids, finish, all: ids.map((_, i) => i) }
  }

  async function usage(project: string) {
    const found = await process.projects.get(project)
    return usageOf(process.db.query, found?.id ?? 0)
  }

  function bytesTogether(seed: number, which: number[]): number {
    return which.reduce((sum, i) => sum + bytesOf(seed, i).length, 50)
  }

  test('all are there afterwards, counted once, and share their commits where that pays', async () => {
    const { finish, all } = await begin('together/app', 1_000)
    transactions = 0
    await Promise.all(all.map((i) => finish(i)))
    if (process.db.engine.name === 'postgres') expect(transactions).toBeLessThan(COUNT / 2)
    for (const i of all) {
      const bytes = bytesOf(1_000, i)
      const read = await readBlob(process, 'together/app', digestOf(bytes))
      expect(Buffer.compare(read, bytes)).toBe(0)
    }
    const size = bytesTogether(1_000, all)
    expect(await usage('together')).toEqual({ logicalBytes: size, uniqueBytes: size })
  })

  test('one that lost its session fails, and none of its neighbours', async () => {
    const { owner, ids, finish, all } = await begin('lost/app', 2_000)
    const lost = [7, 20, 21]
    const codes = await Promise.all(
      all.map((i) => {
        if (!lost.includes(i)) return codeOf(finish(i))
        const bytes = bytesOf(2_000, i)
        return codeOf(
          process.uploads.finish(ids[i] ?? '', owner, {
            digest: digestOf(bytes),
            body: bodyOf(bytes),
            async authorizeCommit() {
              await process.uploads.cancel(ids[i] ?? '', owner)
              return pusher
            },
          }),
        )
      }),
    )
    const failed = codes.flatMap((code, i) => (code === 'none' ? [] : [i]))
    expect(failed).toEqual(lost)
    for (const i of lost) {
      const digest = digestOf(bytesOf(2_000, i))
      expect(await codeOf(process.blobs.get(nameOf('lost/app'), digest))).toBe('blob_unknown')
    }
    const rest = all.filter((i) => !lost.includes(i))
    expect((await usage('lost')).uniqueBytes).toBe(bytesTogether(2_000, rest))
  })

  test('a connection that is lost before the commit fails nobody who shared it', async () => {
    const isGathered = Number.isFinite(process.db.engine.lanes)
    const { finish, all } = await begin('broken/app', 2_500)
    const gate = createGate()
    let waiting = 0
    let isLost = false
    onTransaction = async (tx) => {
      // Who comes first goes alone, and waits until all others have gathered behind.
      if (++waiting <= process.db.engine.lanes) await gate.opened
      else if (!isLost) {
        isLost = true
        await sql`select pg_terminate_backend(pg_backend_pid())`.execute(tx)
      }
    }
    if (!isGathered) gate.open()
    let authorized = 0
    const finishing = all.map((i) => finish(i, () => authorized++))
    while (authorized < COUNT) await Bun.sleep(1)
    await Bun.sleep(0)
    gate.open()
    await Promise.all(finishing)
    expect(isLost).toBe(isGathered)
  })

  test('a quota lets in what fits and nothing more', async () => {
    const { owner, ids, finish, all } = await begin('limited/app', 3_000)
    const project = await process.projects.get('limited')
    const quota = 20_000
    await process.db.transaction((tx) => process.projects.update(tx, project?.id ?? 0, { quota }))
    const codes = await Promise.all(all.map((i) => codeOf(finish(i))))
    const stored = all.filter((i) => codes[i] === 'none')
    expect(new Set(codes)).toEqual(new Set(['none', 'quota_exceeded']))
    const used = bytesTogether(3_000, stored)
    expect(await usage('limited')).toEqual({ logicalBytes: used, uniqueBytes: used })
    // Nobody was refused for whom there was room at the end.
    const refused = all.filter((i) => codes[i] !== 'none')
    const smallest = Math.min(...refused.map((i) => bytesOf(3_000, i).length))
    expect(used).toBeLessThanOrEqual(quota)
    expect(used + smallest).toBeGreaterThan(quota)
    for (const i of refused) await process.uploads.cancel(ids[i] ?? '', owner)
  })

  test('the same bytes, and bytes that were there before, are stored once', async () => {
    await pushBlob(process, 'same/app', noise(70, 1))
    await pushBlob(process, 'same/other', noise(6_500, 2))
    const seeds = [1, 2, 3, 4]
    await Promise.all(
      Array.from({ length: COUNT }, (_, i) => {
        const seed = seeds[i % seeds.length] ?? 0
        return pushBlob(process, 'same/app', noise(seed % 2 === 0 ? 6_500 : 70, seed))
      }),
    )
    const total = { logicalBytes: 3 * 6_500 + 2 * 70, uniqueBytes: 2 * 6_500 + 2 * 70 }
    expect(await usage('same')).toEqual(total)
    // Leftovers of those who came second are removed after the answer at the latest by the sweeper.
    registry.pass(60_000)
    await process.uploads.sweep(registry.clock())
  })
})
