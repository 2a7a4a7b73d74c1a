import { afterEach, describe, expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import type { Db } from '../store/db/database.ts'
import { createMigrated, onEachEngine, type TestDatabase } from '../store/db/test-databases.ts'
import { addressBucket, createLoginGuard } from './login-guard.ts'
import { codeOf } from './test-accounts.ts'

const limits = { windowMs: 60_000, perAccount: 4, perAddress: 8 }

onEachEngine('login guard', (create) => {
  let database: TestDatabase | undefined
  afterEach(() => database?.remove())

  async function setUp() {
    const { db, test: made } = await createMigrated(create)
    database = made
    const time = { now: 1_000_000 }
    const clock = () => time.now
    const guard = createLoginGuard({ db, clock, limits })
    const other = createLoginGuard({ db: made.open(), clock, limits })
    return { guard, other, time, db }
  }

  test('counts exactly when processes fail at once, and then blocks in all of them', async () => {
    const { guard, other } = await setUp()
    await Promise.all([
      guard.failed('alice', '192.0.2.1'),
      other.failed('alice', '192.0.2.1'),
      guard.failed('alice', '192.0.2.1'),
    ])
    await guard.check('alice', '192.0.2.1')
    await other.failed('alice', '192.0.2.1')
    expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
    expect(await codeOf(other.check('alice', '192.0.2.1'))).toBe('rate_limited')
  })

  describe('on a full disk', () => {
    async function setUpFull() {
      const { guard: before, db, time } = await setUp()
      const disk = { isFull: true }
      const full: Db = {
        ...db,
        async transaction(work, options) {
          if (disk.isFull) throw new AppError('storage_full', 'full')
          return db.transaction(work, options)
        },
      }
      const guard = createLoginGuard({ db: full, clock: () => time.now, limits })
      return { before, time, disk, guard }
    }

    test('failures are counted as ever, and forgotten after a good sign-in', async () => {
      const { guard, time } = await setUpFull()
      for (let i = 0; i < 3; i++) await guard.failed('alice', '192.0.2.1')
      await guard.check('alice', '192.0.2.1')
      await guard.succeeded('alice', '192.0.2.1')
      for (let i = 0; i < 4; i++) {
        await guard.check('alice', '192.0.2.1')
        await guard.failed('alice', '192.0.2.1')
      }
      expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
      await guard.check('alice', '192.0.2.2')
      await guard.check('bob', '192.0.2.1')
      time.now += limits.windowMs / limits.perAccount
      await guard.check('alice', '192.0.2.1')
    })

    test('those from before count too', async () => {
      const { before, guard } = await setUpFull()
      for (let i = 0; i < 3; i++) await before.failed('alice', '192.0.2.1')
      await guard.failed('alice', '192.0.2.1')
      expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
    })

    test('who fills it and makes room again and again has no guesses more', async () => {
      const { guard, time, disk } = await setUpFull()
      await guard.failed('alice', '192.0.2.1')
      time.now += limits.windowMs
      disk.isFull = false
      for (let i = 0; i < 3; i++) await guard.failed('alice', '192.0.2.1')
      disk.isFull = true
      await guard.failed('alice', '192.0.2.1')
      expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
      time.now += limits.windowMs / limits.perAccount
      disk.isFull = false
      await guard.check('alice', '192.0.2.1')
      await guard.failed('alice', '192.0.2.1')
      expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
    })

    test('an address that tries many names is blocked', async () => {
      const { before, guard } = await setUpFull()
      await before.succeeded('alice', '192.0.2.1')
      for (let i = 0; i < 8; i++) await guard.failed(`name${i}`, '192.0.2.1')
      expect(await codeOf(guard.check('carol', '192.0.2.1'))).toBe('rate_limited')
      await guard.check('carol', '192.0.2.2')
      await guard.check('alice', '192.0.2.1')
    })
  })

  test('a blocked account is free from other addresses, and others from this one', async () => {
    const { guard } = await setUp()
    for (let i = 0; i < 4; i++) await guard.failed('alice', '192.0.2.1')
    await guard.check('alice', '192.0.2.2')
    await guard.check('bob', '192.0.2.1')
  })

  test('failures are forgiven one by one', async () => {
    const { guard, time } = await setUp()
    for (let i = 0; i < 4; i++) await guard.failed('alice', '192.0.2.1')
    const refused = await guard.check('alice', '192.0.2.1').catch((error) => error)
    expect(refused.details.retryAfter).toBe(15)
    time.now += 15_000
    await guard.check('alice', '192.0.2.1')
    await guard.failed('alice', '192.0.2.1')
    expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
    time.now += 60_000
    for (let i = 0; i < 3; i++) await guard.failed('alice', '192.0.2.1')
    await guard.check('alice', '192.0.2.1')
  })

  test('an address that tries many names is blocked, but not for who signed in there before', async () => {
    const { guard, time } = await setUp()
    await guard.succeeded('alice', '192.0.2.1')
    for (let i = 0; i < 8; i++) await guard.failed(`name${i}`, '192.0.2.1')
    expect(await codeOf(guard.check('carol', '192.0.2.1'))).toBe('rate_limited')
    await guard.check('carol', '192.0.2.2')
    await guard.check('alice', '192.0.2.1')
    time.now += 7_500
    await guard.check('carol', '192.0.2.1')
  })

  test('a good sign-in forgets the failures before it', async () => {
    const { guard } = await setUp()
    for (let i = 0; i < 3; i++) await guard.failed('alice', '192.0.2.1')
    await guard.succeeded('alice', '192.0.2.1')
    for (let i = 0; i < 3; i++) await guard.failed('alice', '192.0.2.1')
    await guard.check('alice', '192.0.2.1')
  })

  test('rows hold no name, and are swept when they say nothing any more', async () => {
    const { guard, time, db } = await setUp()
    await guard.succeeded('alice', '192.0.2.1')
    await guard.failed('my password', '192.0.2.1')
    const rows = await db.query.selectFrom('login_failure').select('key').execute()
    expect(rows.length).toBe(3)
    expect(JSON.stringify(rows)).not.toMatch(/alice|password|192/)
    expect(await guard.sweep()).toBe(0)
    time.now += 60_001
    expect(await guard.sweep()).toBe(2)
    time.now += 30 * 86_400_000
    expect(await guard.sweep()).toBe(1)
  })
})

test('on a full disk, names that many addresses make up push out no address', async () => {
  const { db, test: made } = await createMigrated()
  const transaction = async () => {
    throw new AppError('storage_full', 'full')
  }
  const guard = createLoginGuard({ db: { ...db, transaction }, clock: () => 1_000_000, limits })
  for (let i = 0; i < 8; i++) await guard.failed(`name${i}`, '192.0.2.1')
  for (let i = 0; i < 10_000; i++) await guard.failed(`name${i}`, `198.51.100.${i % 250}`)
  expect(await codeOf(guard.check('alice', '192.0.2.1'))).toBe('rate_limited')
  await made.remove()
})

test('addresses of one customer count as one', () => {
  expect(addressBucket('192.0.2.1')).toBe('192.0.2.1')
  expect(addressBucket('::ffff:192.0.2.1')).toBe('192.0.2.1')
  expect(addressBucket('2001:db8:0:7:1::2')).toBe('2001:db8:0:7::/64')
  expect(addressBucket('2001:DB8::7:1:2:3:4')).toBe('2001:db8:0:7::/64')
  expect(addressBucket('2001:db8::1')).toBe('2001:db8:0:0::/64')
  expect(addressBucket('::1')).toBe('0:0:0:0::/64')
  expect(addressBucket('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
  expect(addressBucket('')).toBe('')
})
