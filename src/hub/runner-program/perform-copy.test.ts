import { beforeEach, expect, test } from 'bun:test'
import { AppError } from '../../lib/errors.ts'
import { silentLog } from '../../lib/log.ts'
import { buildIn, bytesOf, sha256 } from '../transfers/test-images.ts'
import { createMemoryRegistry, type MemoryRegistry } from '../transfers/test-memory-registry.ts'
import { performCopy } from './perform-copy.ts'

type CopyDeps = Parameters<typeof performCopy>[0]
type CopyTask = Parameters<typeof performCopy>[1]

const TASK: CopyTask = {
  ...{ id: 1, epoch: 1 },
  registry: {
    ...{ id: '7', name: 'far', provider: 'native', address: 'https://far.example', region: '' },
    ...{ namespace: '', accessKey: '', apiVersion: 'V2', verifyTls: true, caCertificate: null },
    ...{ allowPrivate: false, secret: null },
  },
  work: {
    ...{ kind: 'copy', transfer: 3, direction: 'in', platforms: [], index: 'keep' },
    ...{ referrers: false, overwrite: true },
    source: { repository: 'team/app', reference: '1.0' },
    target: { repository: 'shop/app', tag: '1.0' },
  },
}

let far: MemoryRegistry
let hub: MemoryRegistry
let pauses: number[] = []
beforeEach(() => {
  pauses = []
  far = createMemoryRegistry()
  hub = createMemoryRegistry()
})

const depsOf = (write: (text: string) => Promise<void>): CopyDeps => ({
  tell: async (_task, _path, _body, answer) => answer.parse(undefined),
  clock: Date.now,
  log: silentLog,
  copyNotes: { of: async () => ({ found: undefined, write, remove: async () => {} }) },
  hubRegistry: () => hub,
  sleep: async (ms) => {
    pauses.push(ms)
  },
})

const copy = (deps: CopyDeps) =>
  performCopy(deps, TASK, { remote: far, other: undefined }, new AbortController().signal)

test('a copy goes on where its state cannot be kept', async () => {
  const { digest } = buildIn(far, 'team/app').image([bytesOf('layer', 2_000_000)], {}, '1.0')
  let tries = 0
  const result = await copy(
    depsOf(async () => {
      tries++
      throw new Error('ENOSPC')
    }),
  )
  expect(result).toMatchObject({ kind: 'copied', root: digest })
  expect(hub.repository('shop/app').tags.get('1.0')).toBe(digest)
  expect(tries).toBeGreaterThan(0)
})

test('it is taken up again when the hub failed, with the digest that the tag stood for', async () => {
  const build = buildIn(far, 'team/app')
  const { digest } = build.image([bytesOf('layer', 5_000)], {}, '1.0')
  let isFirst = true
  const deps: CopyDeps = {
    ...depsOf(async () => {}),
    hubRegistry(_token, onTrouble) {
      hub.onStep = () => {
        if (!isFirst) return
        isFirst = false
        onTrouble()
        // Meanwhile somebody sets the tag.
        build.image([bytesOf('other', 5_000)], {}, '1.0')
        throw new AppError('unavailable', 'it restarts')
      }
      return hub
    },
  }
  expect(await copy(deps)).toMatchObject({ kind: 'copied', root: digest })
  expect([...hub.repository('shop/app').tags]).toEqual([['1.0', digest]])
})

/** How a run before left it: with this blob at the hub. */
const left = (digest: string): CopyDeps['copyNotes'] => ({
  of: async () => ({
    found: JSON.stringify({ done: [[digest, 'sent']], sessions: {} }),
    write: async () => {},
    remove: async () => {},
  }),
})

test('what the hub lost since is sent again', async () => {
  const layer = bytesOf('layer', 5_000)
  const { digest } = buildIn(far, 'team/app').image([layer], {}, '1.0')
  const deps = { ...depsOf(async () => {}), copyNotes: left(sha256(layer)) }
  expect(await copy(deps)).toMatchObject({ kind: 'copied', root: digest })
  expect(hub.received.get(sha256(layer))).toBe(layer.length)
  expect(pauses).toHaveLength(1)
})

test('a registry that never takes what it has is not asked for ever', async () => {
  const layer = bytesOf('layer', 5_000)
  buildIn(far, 'team/app').image([layer], {}, '1.0')
  let tries = 0
  hub.onStep = (step) => {
    if (!step.startsWith('write ')) return
    tries++
    throw new AppError('manifest_blob_unknown', 'no such blob')
  }
  const deps = { ...depsOf(async () => {}), copyNotes: left(sha256(layer)) }
  await expect(copy(deps)).rejects.toThrow('no such blob')
  expect(tries).toBe(4)
  expect(pauses).toHaveLength(3)
  for (const [i, ms] of pauses.entries()) {
    expect([ms >= 500 * 2 ** i, ms <= 1_000 * 2 ** i]).toEqual([true, true])
  }
})

test('a hub that goes on failing is given up, and one that asks for a long pause left alone', async () => {
  buildIn(far, 'team/app').image([bytesOf('layer', 5_000)], {}, '1.0')
  const failing = (error: AppError): CopyDeps => ({
    ...depsOf(async () => {}),
    hubRegistry(_token, onTrouble) {
      hub.onStep = () => {
        onTrouble()
        throw error
      }
      return hub
    },
  })
  await expect(copy(failing(new AppError('unavailable', 'down')))).rejects.toThrow('down')
  expect(pauses).toHaveLength(10)
  pauses = []
  const wait = new AppError('unavailable', 'later', { retryAfter: 3_600 })
  await expect(copy(failing(wait))).rejects.toThrow('later')
  expect(pauses).toEqual([])
})

test.each(['in', 'out'] as const)(
  '%s: between two registries nobody asks the hub for a token',
  async (direction) => {
    const there = createMemoryRegistry()
    const [from, to] = direction === 'in' ? [far, there] : [there, far]
    const { digest } = buildIn(from, 'team/app').image([bytesOf('layer', 5_000)], {}, '1.0')
    const told: string[] = []
    const deps: CopyDeps = {
      ...depsOf(async () => {}),
      async tell(_task, path, _body, answer) {
        told.push(path)
        return answer.parse(undefined)
      },
      hubRegistry() {
        throw new Error('it is no end of this copy')
      },
    }
    const other = { ...TASK.registry, id: '8', name: 'there' }
    const task: CopyTask = { ...TASK, other, work: { ...TASK.work, direction, other: '8' } }
    const ends = { remote: far, other: there }
    const result = await performCopy(deps, task, ends, new AbortController().signal)
    expect(result).toMatchObject({ kind: 'copied', root: digest })
    expect(to.repository('shop/app').tags.get('1.0')).toBe(digest)
    expect(told).not.toContain('token')
  },
)

test('within one registry blobs are mounted, not sent', async () => {
  const layer = bytesOf('layer', 2_000_000)
  buildIn(far, 'team/app').image([layer], {}, '1.0')
  const task: CopyTask = { ...TASK, other: TASK.registry, work: { ...TASK.work, other: '7' } }
  const ends = { remote: far, other: far }
  await performCopy(
    depsOf(async () => {}),
    task,
    ends,
    new AbortController().signal,
  )
  expect(far.written).toContain(`mount ${sha256(layer)}`)
  expect(far.received.size).toBe(0)
})

test('what went wrong at another registry is told at once', async () => {
  const there = createMemoryRegistry()
  buildIn(far, 'team/app').image([bytesOf('layer', 5_000)], {}, '1.0')
  there.onStep = () => {
    throw new AppError('unavailable', 'down')
  }
  const task: CopyTask = {
    ...TASK,
    other: { ...TASK.registry, id: '8' },
    work: { ...TASK.work, other: '8' },
  }
  const ends = { remote: far, other: there }
  const run = performCopy(
    depsOf(async () => {}),
    task,
    ends,
    new AbortController().signal,
  )
  await expect(run).rejects.toThrow('down')
  expect(pauses).toEqual([])
})
