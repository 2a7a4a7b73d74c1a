import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { type FaultAnswer, type FaultServer, startFaultServer } from './test-fault-server.ts'
import { entriesOf, failureOf, remoteOf } from './test-remote.ts'

/* A registry that fails for a while, for ever, or wants less of us. */

let server: FaultServer
beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.seen.length = 0
})

const TAGS = { body: JSON.stringify({ tags: ['v1'] }) }

/** The list of tags fails with these, then is there. */
function failWith(...answers: FaultAnswer[]) {
  const left = [...answers]
  server.fault = ({ path }) => (path === '/v2/a/tags/list' ? (left.shift() ?? TAGS) : undefined)
}

const tagsOf = ({ registry }: ReturnType<typeof remoteOf>) => entriesOf(registry.listTags('a'))
const asked = () => server.seen.filter(({ path }) => path === '/v2/a/tags/list').length

test.each([408, 429, 500, 502, 503, 504])('%d is asked again', async (status) => {
  failWith({ status }, { status })
  const remote = remoteOf(server.url)
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(asked()).toBe(3)
  expect(remote.slept.every((ms) => ms <= 60_000)).toBe(true)
})

test.each([400, 403, 410, 451])('%d is not', async (status) => {
  failWith({ status })
  await failureOf(tagsOf(remoteOf(server.url)))
  expect(asked()).toBe(1)
})

test('a broken connection is taken up again', async () => {
  failWith({ body: 'x'.repeat(100), headers: { 'content-length': '100' }, cutAfter: 0 })
  // The list itself broke, not the request: that is for the caller.
  expect(await failureOf(tagsOf(remoteOf(server.url)))).toMatchObject({ problem: 'closed' })
})

test('as long as the registry wants, in seconds or until a date', async () => {
  const remote = remoteOf(server.url)
  const date = new Date(remote.clock.now + 20_500).toUTCString()
  failWith(
    { status: 429, headers: { 'retry-after': '7' } },
    { status: 503, headers: { 'retry-after': date } },
  )
  const start = remote.clock.now
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(remote.slept[0]).toBe(7000)
  expect(remote.clock.now - start).toBeGreaterThanOrEqual(19_000)
})

test('for longer than one wants to wait it is an error that says how long', async () => {
  failWith({ status: 429, headers: { 'retry-after': '600' } })
  const remote = remoteOf(server.url)
  const failure = await failureOf(tagsOf(remote))
  expect(failure).toMatchObject({ code: 'rate_limited', retryAfter: 600, status: 429 })
  expect(remote.slept).toEqual([])
  // And nothing is sent before that time.
  expect(await failureOf(tagsOf(remote))).toMatchObject({ code: 'rate_limited', retryAfter: 600 })
  expect(asked()).toBe(1)
  remote.clock.now += 600_000
  expect(await tagsOf(remote)).toEqual(['v1'])
})

test('429 for ever ends after five tries, each of them later', async () => {
  failWith(
    ...Array<FaultAnswer>(20).fill({
      status: 429,
      body: '{"errors":[{"code":"TOOMANYREQUESTS"}]}',
    }),
  )
  const remote = remoteOf(server.url)
  const failure = await failureOf(tagsOf(remote))
  expect(failure).toMatchObject({ code: 'rate_limited', remoteCodes: ['TOOMANYREQUESTS'] })
  expect(asked()).toBe(5)
})

test('a registry that fails and fails is left alone, then tried with one request', async () => {
  failWith(...Array<FaultAnswer>(100).fill({ status: 502 }))
  const remote = remoteOf(server.url)
  await failureOf(tagsOf(remote))
  expect(await failureOf(tagsOf(remote))).toMatchObject({ code: 'remote_error', status: 502 })
  expect(asked()).toBe(10)
  const paused = { code: 'remote_unreachable', problem: 'paused', retryAfter: 30 }
  expect(await failureOf(tagsOf(remote))).toMatchObject(paused)
  expect(asked()).toBe(10)
  remote.clock.now += 30_000
  const both = await Promise.all([failureOf(tagsOf(remote)), failureOf(tagsOf(remote))])
  expect(both).toMatchObject([paused, paused])
  expect(asked()).toBe(11)
  remote.clock.now += 30_000
  failWith()
  expect(await tagsOf(remote)).toEqual(['v1'])
  expect(await tagsOf(remote)).toEqual(['v1'])
})

test('those who ask at once after a pause wait for the first, also for one that is given up', async () => {
  failWith(...Array<FaultAnswer>(10).fill({ status: 502 }))
  const remote = remoteOf(server.url)
  await failureOf(tagsOf(remote))
  await failureOf(tagsOf(remote))
  expect(await failureOf(tagsOf(remote))).toMatchObject({ problem: 'paused' })
  remote.clock.now += 30_000
  failWith()
  const given = new AbortController()
  const call = { signal: given.signal }
  const first = entriesOf(remote.registry.listTags('a', call)).catch(String)
  given.abort(new Error('enough'))
  const rest = Promise.all([tagsOf(remote), tagsOf(remote), tagsOf(remote)])
  expect(await first).toContain('enough')
  expect(await rest).toEqual([['v1'], ['v1'], ['v1']])
})

test('nothing is sent while the budget is used up and its end is near', async () => {
  const headers = { 'ratelimit-limit': '10', 'ratelimit-remaining': '0', 'ratelimit-reset': '5' }
  failWith({ ...TAGS, headers })
  const remote = remoteOf(server.url)
  await tagsOf(remote)
  const { budget, clockSkew } = remote.registry.observed()
  expect(budget).toMatchObject({ limit: 10, remaining: 0 })
  expect(Math.abs(clockSkew ?? Number.NaN)).toBeLessThan(60_000)
  await tagsOf(remote)
  expect(remote.slept).toEqual([5000])
})

test('a limit per second is kept, and requests at once too', async () => {
  failWith()
  const remote = remoteOf(server.url, {
    provider: { limits: { concurrency: 2, perSecond: 10, pageSize: 3 } },
  })
  const start = remote.clock.now
  await Promise.all(Array.from({ length: 11 }, () => tagsOf(remote)))
  expect(remote.clock.now - start).toBeGreaterThanOrEqual(1000)
  expect(remote.clock.now - start).toBeLessThan(1500)
})

test('a caller who gives up while waiting gets the reason', async () => {
  server.fault = () => ({ hang: true })
  const remote = remoteOf(server.url, { provider: { limits: { concurrency: 1, pageSize: 3 } } })
  const reason = new Error('stopped')
  const controller = new AbortController()
  const calls = [1, 2, 3].map(() =>
    remote.registry.hasBlob('a', `sha256:${'0'.repeat(64)}` as never, controller),
  )
  setTimeout(() => controller.abort(reason), 50)
  const results = await Promise.allSettled(calls)
  expect(results).toEqual(calls.map(() => ({ status: 'rejected', reason })))
})
