import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { failureOf } from '../../lib/test-failure.ts'
import { openReadCache, type ReadCache } from './read-cache.ts'

let folder: string
let cache: ReadCache
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-cache-'))
  cache = openReadCache({ folder, limitBytes: 1_000 })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function* bytes(...sizes: number[]) {
  for (const size of sizes) yield new Uint8Array(size).fill(size)
}

const files = () =>
  readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile())

function age(path: string, ms: number): void {
  const at = new Date(Date.now() - ms)
  utimesSync(path, at, at)
}

test('makes a copy once for all who ask at the same time', async () => {
  let asked = 0
  const source = async () => {
    asked++
    return bytes(100, 50)
  }
  const paths = await Promise.all([1, 2, 3].map(() => cache.fill('ab/1', 150, source)))
  expect(asked).toBe(1)
  expect(new Set(paths).size).toBe(1)
  expect(statSync(paths[0] ?? '').size).toBe(150)
  expect(await cache.fill('ab/1', 150, source)).toBe(paths[0])
  expect(asked).toBe(1)
})

test('asks for what is large in pieces, several at once', async () => {
  const size = 100 * 1024 * 1024 + 3
  const whole = new Uint8Array(size)
  for (let i = 0; i < size; i += 1009) whole[i] = i % 251
  let now = 0
  let most = 0
  const path = await cache.fill('ab/1', size, async ({ start, end }) => {
    most = Math.max(most, ++now)
    return (async function* () {
      for (let at = start; at <= end; at += 5_000_000) {
        yield whole.subarray(at, Math.min(at + 5_000_000, end + 1))
        await Bun.sleep(1)
      }
      now--
    })()
  })
  expect(most).toBe(4)
  expect(Buffer.compare(Buffer.from(await Bun.file(path ?? '').arrayBuffer()), whole)).toBe(0)
})

test('keeps nothing of a source that breaks, is too short or is not there', async () => {
  async function* broken() {
    yield new Uint8Array(10)
    throw new Error('broken')
  }
  await expect(cache.fill('ab/1', 20, async () => broken())).rejects.toThrow('broken')
  await expect(cache.fill('ab/1', 20, async () => bytes(19))).rejects.toThrow('19 bytes of 20')
  expect(await cache.fill('ab/1', 20, async () => undefined)).toBeUndefined()
  expect(await cache.find('ab/1', 20)).toBeUndefined()
  expect(files()).toEqual([])
  expect(await cache.fill('ab/1', 20, async () => bytes(20))).toBeString()
})

test('what was not used for longest makes room, and what is in use stays', async () => {
  const copies: string[] = []
  for (const [i, hours] of [3, 2, 1].entries()) {
    const path = (await cache.fill(`ab/${i}`, 300, async () => bytes(300))) ?? ''
    age(path, hours * 3_600_000)
    copies.push(path)
  }
  // Used: it is the youngest now.
  expect(await cache.find('ab/0', 300)).toBe(copies[0])
  await cache.fill('ab/3', 300, async () => bytes(300))
  expect(copies.map((path) => existsSync(path))).toEqual([true, false, true])
  await cache.fill('ab/4', 900, async () => bytes(900))
  expect(existsSync(copies[0] ?? '')).toBeTrue()
  expect(existsSync(copies[2] ?? '')).toBeFalse()
})

test('what must stay free on the disk is not taken, nor asked for in vain', async () => {
  const idle = (await cache.fill('ab/1', 300, async () => bytes(300))) ?? ''
  age(idle, 3_600_000)
  const careful = openReadCache({ folder, limitBytes: 1_000, keepFree: Number.MAX_SAFE_INTEGER })
  let asked = 0
  const full = careful.fill('ab/2', 100, async () => {
    asked++
    return bytes(100)
  })
  expect((await failureOf(full)).code).toBe('storage_full')
  expect(asked).toBe(0)
  // It would not have been enough.
  expect(await careful.find('ab/1', 300)).toBe(idle)
})

test('the room that is left is promised to one, and not to the next as well', async () => {
  const room = async () => 1_000
  const careful = openReadCache({ folder, limitBytes: 10_000, keepFree: 500, room })
  const asked = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const first = careful.fill('ab/1', 300, async () => {
    asked.resolve()
    await gate.promise
    return bytes(300)
  })
  await asked.promise
  const second = () => careful.fill('ab/2', 300, async () => bytes(300))
  expect((await failureOf(second())).code).toBe('storage_full')
  gate.resolve()
  expect(await first).toBeString()
  expect(await second()).toBeString()
})

test('goes on when somebody removes all of it', async () => {
  await cache.fill('ab/1', 300, async () => bytes(300))
  rmSync(folder, { recursive: true })
  expect(await cache.find('ab/1', 300)).toBeUndefined()
  expect(await cache.fill('ab/1', 300, async () => bytes(300))).toBeString()
})

test('what a process that died left half is removed after a while', async () => {
  const dead = join(folder, 'ab.part')
  await Bun.write(dead, 'half')
  await cache.fill('ab/1', 10, async () => bytes(10))
  expect(existsSync(dead)).toBeTrue()
  age(dead, 2 * 3_600_000)
  await cache.fill('ab/2', 100, async () => bytes(100))
  expect(existsSync(dead)).toBeFalse()
})

test('beside a full disk what nobody uses goes, and the copy is tried once more', async () => {
  const idle = (await cache.fill('ab/1', 300, async () => bytes(300))) ?? ''
  age(idle, 3_600_000)
  let tries = 0
  const fullAtFirst = async () => {
    if (++tries === 1) throw new AppError('storage_full', 'full')
    return bytes(100)
  }
  expect(await cache.fill('ab/2', 100, fullAtFirst)).toBeString()
  expect(existsSync(idle)).toBe(false)
  // What is in use stays, so there is nothing to try again with.
  const full = cache.fill('ab/3', 100, async () => {
    tries++
    throw new AppError('storage_full', 'full')
  })
  await expect(full).rejects.toThrow('full')
  expect(tries).toBe(3)
  expect(files()).toHaveLength(1)
})
