import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { sweepOrphans } from './orphans.ts'
import {
  bodyOf,
  createGate,
  createTestRegistry,
  digestOf,
  noise,
  ownerOf,
  pushBlob,
  pusher,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'

const authorizeCommit = async () => pusher
const DAY = 24 * 3_600_000

onEachEngine('endings of uploads', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let names = 0

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
  })
  afterAll(() => registry.remove())
  afterEach(async () => expect(await registry.problems()).toEqual([]))

  async function begin(prefix: Uint8Array, process = first) {
    const name = `endings/app-${++names}`
    const owner = ownerOf(name)
    const { id } = await process.uploads.start(owner)
    if (prefix.length > 0) await process.uploads.append(id, owner, bodyOf(prefix))
    return { name, owner, id }
  }

  async function storedKeys(): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of registry.store.list()) keys.push(key)
    return keys.sort()
  }

  /** Finishes the session with the rest of `whole` and compares what is stored then. */
  async function finishRest(
    process: TestProcess,
    { name, owner, id }: Awaited<ReturnType<typeof begin>>,
    whole: Uint8Array,
  ) {
    const { offset } = await process.uploads.status(id, owner)
    const body = bodyOf(whole.subarray(offset))
    await process.uploads.finish(id, owner, {
      digest: digestOf(whole),
      body,
      start: offset,
      authorizeCommit,
    })
    expect(Buffer.compare(await readBlob(first, name, digestOf(whole)), whole)).toBe(0)
  }

  test('the sweeper removes sessions without activity, and what they stored', async () => {
    const before = await storedKeys()
    const old = [
      await begin(new Uint8Array()),
      await begin(noise(100, 72)),
      await begin(noise(9_000, 73)),
    ]
    registry.pass(DAY)
    const young = await begin(noise(9_000, 74))
    expect(await first.uploads.sweep(registry.clock() - DAY / 2)).toBe(3)
    for (const { id, owner } of old) {
      expect(await codeOf(first.uploads.status(id, owner))).toBe('upload_unknown')
    }
    expect(await first.uploads.status(young.id, young.owner)).toEqual({ offset: 9_000 })
    await first.uploads.cancel(young.id, young.owner)
    expect(await storedKeys()).toEqual(before)
  })

  test('the sweeper leaves a writer alone that is slow but alive', async () => {
    const session = await begin(new Uint8Array())
    const whole = noise(10, 75)
    async function* slow() {
      for (let i = 0; i < 10; i++) {
        yield whole.subarray(i, i + 1)
        registry.pass(6_000)
        await first.uploads.sweep(registry.clock())
      }
    }
    expect(await first.uploads.append(session.id, session.owner, slow())).toEqual({ offset: 10 })
    await finishRest(first, session, whole)
  })

  /** A process that stops before its next transaction until it is let go. */
  function stoppedProcess() {
    const stopped = createGate()
    const gate = createGate()
    const stop = (db: Db): Db => ({
      ...db,
      async transaction(...given) {
        stopped.open()
        await gate.opened
        return db.transaction(...given)
      },
    })
    return {
      process: registry.anotherProcess({ db: stop }),
      stopped: stopped.opened,
      goOn: gate.open,
    }
  }

  test('a session that is committed while somebody cancels it keeps its bytes', async () => {
    const whole = noise(50_000, 76)
    const session = await begin(whole)
    const { process, stopped, goOn } = stoppedProcess()
    const cancel = codeOf(process.uploads.cancel(session.id, session.owner))
    await stopped
    await finishRest(first, session, whole)
    goOn()
    expect(await cancel).toBe('upload_unknown')
    expect((await readBlob(first, session.name, digestOf(whole))).length).toBe(50_000)
  })

  test('a session that is committed while it is swept keeps its bytes', async () => {
    const whole = noise(50_000, 77)
    const session = await begin(whole)
    registry.pass(DAY)
    const { process, stopped, goOn } = stoppedProcess()
    const sweep = process.uploads.sweep(registry.clock())
    await stopped
    await finishRest(first, session, whole)
    goOn()
    expect(await sweep).toBe(0)
    expect((await readBlob(first, session.name, digestOf(whole))).length).toBe(50_000)
  })

  test('a session that somebody goes on with while it is swept stays', async () => {
    const whole = noise(50_000, 78)
    const session = await begin(whole.subarray(0, 20_000))
    registry.pass(DAY)
    const { process, stopped, goOn } = stoppedProcess()
    const sweep = process.uploads.sweep(registry.clock())
    await stopped
    await first.uploads.append(session.id, session.owner, bodyOf(whole.subarray(20_000, 40_000)))
    goOn()
    expect(await sweep).toBe(0)
    await finishRest(first, session, whole)
  })

  /** A process whose commits happen, but which is told that they did not. */
  function deafProcess(deaf: { now: boolean }) {
    return registry.anotherProcess({
      db: (db) => ({
        ...db,
        async transaction(...given) {
          const result = await db.transaction(...given)
          if (deaf.now) throw new AppError('unavailable', 'the database does not answer')
          return result
        },
      }),
    })
  }

  test('a commit whose answer got lost keeps its bytes', async () => {
    const deaf = { now: false }
    const process = deafProcess(deaf)
    const becomesDeaf = async () => {
      deaf.now = true
      return pusher
    }
    for (const [i, push] of [
      async (whole: Uint8Array, name: string) => {
        const request = {
          digest: digestOf(whole),
          body: bodyOf(whole),
          authorizeCommit: becomesDeaf,
        }
        await process.uploads.single(ownerOf(name), request)
      },
      async (whole: Uint8Array, name: string) => {
        const owner = ownerOf(name)
        const { id } = await process.uploads.start(owner)
        await process.uploads.append(id, owner, bodyOf(whole))
        await process.uploads.finish(id, owner, {
          digest: digestOf(whole),
          authorizeCommit: becomesDeaf,
        })
      },
    ].entries()) {
      deaf.now = false
      const whole = noise(30_000, 80 + i)
      const name = `endings/deaf-${i}`
      expect(await codeOf(push(whole, name))).toBe('unavailable')
      expect(Buffer.compare(await readBlob(first, name, digestOf(whole)), whole)).toBe(0)
    }
  })

  test('a chunk whose acknowledgement got lost is there, and the next one goes on from it', async () => {
    const deaf = { now: false }
    const process = deafProcess(deaf)
    const whole = noise(30_000, 83)
    const session = await begin(whole.subarray(0, 10_000))
    async function* chunk() {
      yield whole.subarray(10_000, 20_000)
      deaf.now = true
    }
    expect(await codeOf(process.uploads.append(session.id, session.owner, chunk()))).toBe(
      'unavailable',
    )
    deaf.now = false
    expect(await first.uploads.status(session.id, session.owner)).toEqual({ offset: 20_000 })
    await finishRest(first, session, whole)
  })

  test('bytes that nothing names go after a day, others stay', async () => {
    await pushBlob(first, 'endings/kept', noise(9_000, 84))
    const kept = await storedKeys()
    const orphan = registry.store.newKey()
    const appender = await registry.store.append(orphan, { offset: 0, state: null })
    await appender.write(noise(10))
    await appender.checkpoint()
    await appender.close()
    // Files carry the time of the machine, which is not that of the tests.
    const sweepAt = (now: number) =>
      sweepOrphans({ db: first.db, store: registry.store, clock: () => now })
    expect(await sweepAt(Date.now() + DAY - 60_000)).toBe(0)
    expect(await sweepAt(Date.now() + DAY + 60_000)).toBe(1)
    expect(await storedKeys()).toEqual(kept)
  })
})
