import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { AppError } from '../lib/errors.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  bodyOf,
  createGate,
  createTestRegistry,
  digestOf,
  noise,
  ownerOf,
  pusher,
  readBlob,
  type TestProcess,
  type TestRegistry,
} from './test-registry.ts'
import { WRITER_LEASE_MS } from './upload-claims.ts'
import type { UploadOwner } from './upload-owner.ts'

const authorizeCommit = async () => pusher
/** What a writer that lost its session is told. */
const LOST = ['upload_invalid', 'upload_unknown']

/** A body that stops after its first chunk until it is let go. */
function stallingBody(first: Uint8Array, rest: Uint8Array[]) {
  const stalled = createGate()
  const gate = createGate()
  async function* body() {
    yield first
    stalled.open()
    await gate.opened
    yield* rest
  }
  return { body: body(), stalled: stalled.opened, goOn: gate.open }
}

onEachEngine('writers of one upload', (create) => {
  let registry: TestRegistry
  let first: TestProcess
  let second: TestProcess
  let full: TestProcess
  let names = 0

  beforeAll(async () => {
    registry = await createTestRegistry(create)
    first = registry.first
    second = registry.anotherProcess()
    full = registry.anotherProcess({
      store: (store) => ({
        ...store,
        append: async () => {
          throw new AppError('storage_full', 'the disk is full')
        },
      }),
    })
  })
  afterAll(() => registry.remove())
  afterEach(async () => {
    // What a writer left behind when its session was taken over is found by the sweeper.
    registry.pass(60_000)
    await first.uploads.sweep(registry.clock())
    expect(await registry.problems()).toEqual([])
    expect(await first.db.query.selectFrom('upload').selectAll().execute()).toEqual([])
  })

  /** A session that has `prefix` bytes, of a repository of its own. */
  async function begin(prefix: Uint8Array) {
    const name = `writers/app-${++names}`
    const owner = ownerOf(name)
    const { id } = await first.uploads.start(owner)
    if (prefix.length > 0) await first.uploads.append(id, owner, bodyOf(prefix))
    return { name, owner, id }
  }

  async function expectBytes(name: string, bytes: Uint8Array) {
    const read = await readBlob(first, name, digestOf(bytes))
    expect(Buffer.compare(read, bytes)).toBe(0)
  }

  // None, in the row, in the store; what comes first from the writer that stalls likewise.
  for (const prefixSize of [0, 100, 10_000]) {
    for (const chunkSize of [50, 8_000]) {
      for (const ends of [true, false]) {
        const rest = () => (ends ? [] : [noise(1_500_000, 3), noise(700_000, 4)])
        const how = `after ${prefixSize} and ${chunkSize} bytes, ${ends ? 'with nothing more' : 'with more bytes'}`

        for (const taker of ['the same process', 'another process']) {
          test(`one that stalls and comes back ${how} changes nothing of what ${taker} committed`, async () => {
            const prefix = noise(prefixSize, 1)
            const { name, owner, id } = await begin(prefix)
            const stall = stallingBody(noise(chunkSize, 2), rest())
            const stale = codeOf(first.uploads.append(id, owner, stall.body))
            await stall.stalled
            registry.pass(WRITER_LEASE_MS + 1)

            const last = noise(20_000, 5)
            const whole = Buffer.concat([prefix, last])
            const { uploads } = taker === 'the same process' ? first : second
            const request = { digest: digestOf(whole), body: bodyOf(last), authorizeCommit }
            await uploads.finish(id, owner, request)
            stall.goOn()
            expect(LOST).toContain(await stale)
            await expectBytes(name, whole)
          })
        }

        test(`one that stalls and comes back ${how} does not disturb the one after it`, async () => {
          const prefix = noise(prefixSize, 6)
          const { name, owner, id } = await begin(prefix)
          const stall = stallingBody(noise(chunkSize, 7), rest())
          const stale = codeOf(
            first.uploads.finish(id, owner, {
              digest: digestOf(noise(1, 99)),
              body: stall.body,
              authorizeCommit,
            }),
          )
          await stall.stalled
          registry.pass(WRITER_LEASE_MS + 1)
          const [a, b] = [noise(9_000, 8), noise(9_000, 9)]
          await second.uploads.append(id, owner, bodyOf(a))
          stall.goOn()
          expect(['digest_mismatch', ...LOST]).toContain(await stale)
          expect(await second.uploads.status(id, owner)).toEqual({ offset: prefixSize + 9_000 })
          await first.uploads.append(id, owner, bodyOf(b))
          const whole = Buffer.concat([prefix, a, b])
          await second.uploads.finish(id, owner, { digest: digestOf(whole), authorizeCommit })
          await expectBytes(name, whole)
        })
      }
    }
  }

  for (const prefixSize of [0, 100, 10_000]) {
    const attempts: Record<string, (id: string, owner: UploadOwner) => Promise<unknown>> = {
      'starts at a wrong byte': (id, owner) =>
        second.uploads.append(id, owner, bodyOf(noise(10)), prefixSize + 1),
      'commits from a wrong byte': (id, owner) =>
        second.uploads.finish(id, owner, {
          digest: digestOf(noise(10)),
          body: bodyOf(noise(10)),
          start: prefixSize + 1,
          authorizeCommit,
        }),
      'brings no bytes': (id, owner) => second.uploads.append(id, owner, undefined),
      'finds the store full': (id, owner) =>
        full.uploads.append(id, owner, bodyOf(noise(9_000)), prefixSize),
      'finds the store full at the commit': (id, owner) =>
        full.uploads.finish(id, owner, {
          digest: digestOf(noise(10)),
          body: bodyOf(noise(9_000)),
          authorizeCommit,
        }),
    }
    for (const [what, attempt] of Object.entries(attempts)) {
      test(`after a taker that ${what} at ${prefixSize}, the stalled one still changes nothing`, async () => {
        const prefix = noise(prefixSize, 40)
        const { name, owner, id } = await begin(prefix)
        const stall = stallingBody(noise(8_000, 41), [noise(1_500_000, 42)])
        const stale = codeOf(first.uploads.append(id, owner, stall.body))
        await stall.stalled
        registry.pass(WRITER_LEASE_MS + 1)
        await codeOf(attempt(id, owner))

        const next = noise(9_000, 43)
        const body = stallingBody(next.subarray(0, 5_000), [next.subarray(5_000)])
        const append = second.uploads.append(id, owner, body.body, prefixSize)
        await body.stalled
        stall.goOn()
        expect(LOST).toContain(await stale)
        body.goOn()
        await append
        const whole = Buffer.concat([prefix, next])
        await second.uploads.finish(id, owner, { digest: digestOf(whole), authorizeCommit })
        await expectBytes(name, whole)
      })
    }
  }

  test('one that pauses for minutes goes on when nobody took over', async () => {
    const { name, owner, id } = await begin(noise(10, 11))
    const stall = stallingBody(noise(5_000, 12), [noise(5_000, 13)])
    const append = first.uploads.append(id, owner, stall.body)
    await stall.stalled
    registry.pass(4 * 60_000)
    stall.goOn()
    expect(await append).toEqual({ offset: 10_010 })
    const whole = Buffer.concat([noise(10, 11), noise(5_000, 12), noise(5_000, 13)])
    await second.uploads.finish(id, owner, { digest: digestOf(whole), authorizeCommit })
    await expectBytes(name, whole)
  })

  test('two take turns, and the second goes on where the first ended', async () => {
    const { name, owner, id } = await begin(noise(10, 14))
    const stall = stallingBody(noise(6_000, 15), [noise(6_000, 16)])
    const one = first.uploads.append(id, owner, stall.body)
    await stall.stalled
    const two = second.uploads.append(id, owner, bodyOf(noise(6_000, 17)))
    await Bun.sleep(250)
    expect(await second.uploads.status(id, owner)).toEqual({ offset: 10 })
    stall.goOn()
    expect(await one).toEqual({ offset: 12_010 })
    expect(await two).toEqual({ offset: 18_010 })
    const whole = Buffer.concat([noise(10, 14), ...[15, 16, 17].map((seed) => noise(6_000, seed))])
    await first.uploads.finish(id, owner, { digest: digestOf(whole), authorizeCommit })
    await expectBytes(name, whole)
  })

  test('of two that send the same chunk one is told where the upload stands', async () => {
    const { name, owner, id } = await begin(new Uint8Array())
    const chunk = noise(6_000, 18)
    const results = await Promise.all(
      [first, second, first, second].map(({ uploads }) =>
        codeOf(uploads.append(id, owner, bodyOf(chunk), 0)),
      ),
    )
    expect(results.sort()).toEqual(['none', ...Array(3).fill('upload_range_invalid')])
    await first.uploads.finish(id, owner, { digest: digestOf(chunk), authorizeCommit })
    await expectBytes(name, chunk)
  })

  test('of several that commit one succeeds, and the session is over for the others', async () => {
    const bytes = noise(9_000, 19)
    const { name, owner, id } = await begin(bytes)
    const results = await Promise.all(
      [first, second, first, second].map(({ uploads }) =>
        codeOf(uploads.finish(id, owner, { digest: digestOf(bytes), authorizeCommit })),
      ),
    )
    expect(results.sort()).toEqual(['none', ...Array(3).fill('upload_unknown')])
    await expectBytes(name, bytes)
  })

  test('one that is alive keeps its session, and the one that waits is told so', async () => {
    const { owner, id } = await begin(new Uint8Array())
    const started = createGate()
    let refused = false
    async function* slow() {
      yield noise(1, 20)
      started.open()
      while (!refused) {
        await Bun.sleep(20)
        registry.pass(2_000)
        yield noise(1, 21)
      }
    }
    const alive = codeOf(first.uploads.append(id, owner, slow()))
    await started.opened
    const waiting = codeOf(second.uploads.append(id, owner, bodyOf(noise(1))))
    void waiting.then(() => {
      refused = true
    })
    expect(await waiting).toBe('rate_limited')
    expect(await alive).toBe('none')
    await second.uploads.cancel(id, owner)
  })

  for (const chunkSize of [50, 8_000]) {
    test(`one whose session is cancelled after ${chunkSize} bytes leaves nothing`, async () => {
      const { owner, id } = await begin(noise(200, 30))
      const stall = stallingBody(noise(chunkSize, 31), [noise(2_000_000, 32)])
      const append = codeOf(first.uploads.append(id, owner, stall.body))
      await stall.stalled
      await second.uploads.cancel(id, owner)
      expect(await codeOf(first.uploads.status(id, owner))).toBe('upload_unknown')
      stall.goOn()
      expect(LOST).toContain(await append)
      // At once, not only by the sweeper.
      expect(await registry.problems()).toEqual([])
    })
  }
})
