import { expect, test } from 'bun:test'
import { failureOf } from '../lib/test-failure.ts'
import { createRoom } from './room.ts'

const MIB = 1024 * 1024

/** Disks whose room tests change, and a time that only they move. */
function setUp(blobs: number, database: number) {
  const free = { blobs, database }
  const time = { now: 1_000 }
  const room = createRoom({
    store: { room: async () => free.blobs },
    db: { room: async () => free.database },
    clock: () => time.now,
  })
  return { room, free, time }
}

test('what would leave less than the reserve is refused, and taken again at once', async () => {
  const { room, free } = setUp(100 * MIB, 100 * MIB)
  await room.demand(36 * MIB)
  expect(await failureOf(room.demand(36 * MIB + 1))).toMatchObject({
    code: 'storage_full',
    message: expect.stringContaining('the disk of the registry is nearly full: 100 MiB are left'),
  })
  free.blobs = 200 * MIB
  await room.demand(36 * MIB + 1)
})

test('with a bucket the disk of the database is watched', async () => {
  const { room, free, time } = setUp(Number.POSITIVE_INFINITY, 65 * MIB)
  // What goes to the bucket takes nothing of it.
  await room.demand(10_000 * MIB)
  free.database = 63 * MIB
  time.now += 1_001
  expect(await failureOf(room.demand(0))).toMatchObject({
    code: 'storage_full',
    message: expect.stringContaining('the disk of the database is nearly full: 63 MiB are left'),
  })
})
