import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWalSync } from './wal-sync.ts'

const folder = mkdtempSync(join(tmpdir(), 'entrepot-wal-'))
const file = join(folder, 'a.db')
writeFileSync(`${file}-wal`, '')

afterAll(() => rmSync(folder, { recursive: true }))

/** A disk whose syncs end when the test says so. */
function slowDisk() {
  const running: { resolve: () => void; reject: (error: Error) => void }[] = []
  let started = 0
  const datasync = () =>
    new Promise<void>((resolve, reject) => {
      started++
      running.push({ resolve, reject })
    })
  const next = async () => {
    while (running.length === 0) await Bun.sleep(1)
    return running.shift()
  }
  return { datasync, next, started: () => started }
}

test('whoever comes while a sync runs waits for one that started later', async () => {
  const disk = slowDisk()
  const wal = openWalSync(file, disk.datasync)
  const done: string[] = []
  const first = wal.sync().then(() => done.push('first'))
  const running = await disk.next()
  const second = wal.sync().then(() => done.push('second'))
  const third = wal.sync().then(() => done.push('third'))
  running?.resolve()
  await first
  await Bun.sleep(5)
  expect(done).toEqual(['first'])
  const shared = await disk.next()
  shared?.resolve()
  await Promise.all([second, third])
  expect(done).toEqual(['first', 'second', 'third'])
  expect(disk.started()).toBe(2)
  await wal.close()
})

test('after a sync that failed none succeeds, as the lost pages would not be written again', async () => {
  const disk = slowDisk()
  const wal = openWalSync(file, disk.datasync)
  const first = wal.sync()
  const running = await disk.next()
  const waiting = wal.sync()
  const settled = Promise.allSettled([first, waiting])
  running?.reject(new Error('EIO'))
  expect((await settled).map((result) => result.status)).toEqual(['rejected', 'rejected'])
  await expect(wal.sync()).rejects.toMatchObject({ code: 'unavailable' })
  expect(disk.started()).toBe(1)
  await wal.close()
})
