import { expect, test } from 'bun:test'
import { isAppError } from '../lib/errors.ts'
import { createRoom } from './room.ts'

const MIB = 1024 * 1024

function setUp() {
  const disk = { free: 1000 * MIB, looks: 0, now: 0 }
  const room = async () => {
    disk.looks++
    return disk.free
  }
  const { demand } = createRoom({ store: { room }, clock: () => disk.now })
  const isTaken = (bytes: number) =>
    demand(bytes).then(
      () => true,
      (error: unknown) => {
        if (isAppError(error, 'storage_full')) return false
        throw error
      },
    )
  return { disk, isTaken }
}

test('what is kept free cannot be filled', async () => {
  const { isTaken } = setUp()
  expect(await isTaken(936 * MIB)).toBe(true)
  expect(await isTaken(936 * MIB + 1)).toBe(false)
})

test('the disk is looked at once a second while there is enough', async () => {
  const { disk, isTaken } = setUp()
  for (let i = 0; i < 5; i++) expect(await isTaken(MIB)).toBe(true)
  expect(disk.looks).toBe(1)
  disk.now += 1_000
  expect(await isTaken(MIB)).toBe(true)
  expect(disk.looks).toBe(2)
})

test('nobody is refused for a disk that was full a moment ago', async () => {
  const { disk, isTaken } = setUp()
  disk.free = MIB
  expect(await isTaken(0)).toBe(false)
  disk.free = 1000 * MIB
  expect(await isTaken(0)).toBe(true)
})
