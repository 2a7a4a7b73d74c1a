import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Places } from '../../client/places.ts'
import type { Db } from '../../store/db/database.ts'
import { createMigrated, onEachEngine, type TestDatabase } from '../../store/db/test-databases.ts'
import { createSharedPlaces } from './shared-places.ts'

onEachEngine('places at a registry that processes share', (create) => {
  let database: TestDatabase
  let opened: Db[]

  beforeEach(async () => {
    const { test: made, db } = await createMigrated(create)
    database = made
    opened = [db, database.open(), database.open()]
  })
  afterEach(() => database.remove())

  const clock = () => Date.now()

  /** Each as in a process of its own. */
  function processes(how: {
    count: number
    freshMs?: number
    leaseMs?: number
    now?: () => number
  }) {
    const { count, freshMs = 40, leaseMs = 15_000, now = clock } = how
    return opened.map((db) =>
      createSharedPlaces({ db, clock: now, freshMs, leaseMs })('far away', count),
    )
  }

  /** Watches how many run at once. */
  function watched() {
    let running = 0
    const seen = { most: 0, done: 0 }
    return {
      seen,
      async work(ms: number): Promise<void> {
        running++
        seen.most = Math.max(seen.most, running)
        await Bun.sleep(ms)
        running--
        seen.done++
      },
    }
  }

  async function leases(): Promise<number> {
    const rows = await opened[0]?.query.selectFrom('place_lease').select('pool').execute()
    return rows?.length ?? -1
  }

  test('hold for all of them together, and everybody gets a turn', async () => {
    for (const count of [1, 2, 4]) {
      const { seen, work } = watched()
      const done = await Promise.all(
        processes({ count }).map(async (places) => {
          await Promise.all(
            Array.from({ length: 15 }, (_, i) => places.run(() => work(1 + ((i * 7) % 20)))),
          )
          return true
        }),
      )
      expect(done).toEqual([true, true, true])
      expect(seen.done).toBe(45)
      expect(seen.most).toBeLessThanOrEqual(count)
    }
  })

  test('are all for one who is alone, and are given back when they are not needed', async () => {
    const { seen, work } = watched()
    const [places] = processes({ count: 4 }) as [Places]
    const shares: number[] = []
    await Promise.all(
      Array.from({ length: 12 }, () =>
        places.run(async ({ part }) => {
          shares.push(part)
          await work(15)
        }),
      ),
    )
    expect(seen.most).toBe(4)
    expect(new Set(shares)).toEqual(new Set([1]))
    while ((await leases()) > 0) await Bun.sleep(10)
    const rows = await opened[0]?.query.selectFrom('place_pool').selectAll().execute()
    expect(rows).toEqual([])
  })

  test('of one that is busy all the time are shared with who comes later', async () => {
    const [busy, late] = processes({ count: 2 }) as [Places, Places]
    let isOver = false
    const { seen, work } = watched()
    const endless = Promise.all(
      Array.from({ length: 6 }, async () => {
        while (!isOver) await busy.run(() => work(5))
      }),
    )
    while (seen.done < 10) await Bun.sleep(1)
    // Each of these would wait for ever otherwise.
    for (let i = 0; i < 5; i++) await late.run(() => work(5))
    isOver = true
    await endless
    expect(seen.most).toBeLessThanOrEqual(2)
  })

  test('of one that died come back with the end of its lease', async () => {
    let now = 1_000_000
    const options = { count: 2, leaseMs: 10_000, now: () => now }
    const [dying, other] = processes({ ...options, freshMs: 1_000_000 }) as [Places, Places]
    void dying.run(() => new Promise(() => {}))
    void dying.run(() => new Promise(() => {}))
    while ((await leases()) < 1) await Bun.sleep(5)
    await Bun.sleep(50)
    let entered = false
    const waiting = other.run(async () => {
      entered = true
    })
    await Bun.sleep(400)
    expect(entered).toBe(false)
    now += 10_001
    await waiting
    expect(entered).toBe(true)
  })

  test('a pause that one was asked for is kept by all', async () => {
    const [first, second] = processes({ count: 2 }) as [Places, Places]
    const until = Date.now() + 60_000
    await first.run(async () => first.pause(until))
    let heard = 0
    for (const deadline = Date.now() + 20_000; heard !== until && Date.now() < deadline; ) {
      await second.run(async ({ pausedUntil }) => {
        heard = pausedUntil
      })
    }
    expect(heard).toBe(until)
  })

  test('a database that does not answer fails who waits, and the next one asks again', async () => {
    const [db] = opened as [Db]
    let isGone = true
    const broken: Db = {
      ...db,
      transaction: async (...given) => {
        if (isGone) throw new Error('gone')
        return db.transaction(...given)
      },
    }
    const places = createSharedPlaces({ db: broken, clock, freshMs: 40 })('far away', 2)
    const failure = await places.run(async () => 'ran').catch((error: Error) => error.message)
    expect(failure).toBe('gone')
    isGone = false
    expect(await places.run(async () => 'ran')).toBe('ran')
  })
})
