import { afterEach, beforeEach, expect, test } from 'bun:test'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

/* Who is told what, and when a stream ends. The clock stands still unless a test moves it. */

interface Told {
  event: string
  data: Record<string, unknown>
}

/** Has at least what is expected. */
function matches(value: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null) return value === expected
  if (typeof value !== 'object' || value === null) return false
  const found = value as Record<string, unknown>
  return Object.entries(expected).every(([key, inner]) => matches(found[key], inner))
}

onEachEngine('events', (create) => {
  let api: TestApi
  const readers: AbortController[] = []
  beforeEach(async () => {
    api = await createTestApi(create)
    for (const name of ['alice', 'stranger']) await api.accounts.createUser(name)
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'payments' } })
    await api.expect(200, 'PUT', '/projects/payments/members/alice', {
      as: 'root',
      body: { role: 'developer' },
    })
  })
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.abort()
    api.stop()
    await api.remove()
  })

  async function follow(asked: Parameters<TestApi['respond']>[2]) {
    const reader = new AbortController()
    readers.push(reader)
    const answer = await api.respond('GET', '/events', { ...asked, signal: reader.signal })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const told: Told[] = []
    let isOver = false
    const reading = (async () => {
      let text = ''
      const decoder = new TextDecoder()
      for await (const bytes of answer.body ?? []) {
        text += decoder.decode(bytes)
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) {
          const [, event = ''] = /^event: (.*)$/m.exec(block) ?? []
          const [, data = 'null'] = /^data: (.*)$/m.exec(block) ?? []
          told.push({ event, data: JSON.parse(data) })
        }
      }
    })().finally(() => {
      isOver = true
    })
    const until = async (what: string, is: () => boolean) => {
      const deadline = Date.now() + 20_000
      while (!is()) {
        if (Date.now() > deadline) throw new Error(`no ${what} in ${JSON.stringify(told)}`)
        await Bun.sleep(20)
      }
    }
    return {
      told,
      reading,
      of: (event: string) => told.filter((one) => one.event === event),
      saw: (event: string, data: object) =>
        until(`${event} ${JSON.stringify(data)}`, () =>
          told.some((one) => one.event === event && matches(one.data, data)),
        ),
      ended: () => until('end', () => isOver),
    }
  }

  const addRegistry = async (name: string, projects: string[] | null) => {
    const body = { name, provider: 'harbor', address: `https://${name}.example.com`, projects }
    return String((await api.expect(201, 'POST', '/registries', { as: 'root', body })).body.id)
  }
  const transfer = async (as: string) => {
    const source = { registry: 'self', repository: 'payments/api', reference: '1.4' }
    const body = { source, target: { registry: 'closed' } }
    return (await api.expect(201, 'POST', '/transfers', { as, body })).body.id
  }

  test('each is told what he may read, and nothing else', async () => {
    const closed = await addRegistry('closed', ['payments'])
    const open = await addRegistry('open', null)
    const root = await follow({ as: 'root' })
    const alice = await follow({ as: 'alice' })
    const stranger = await follow({ as: 'stranger' })
    expect(alice.told).toEqual([{ event: 'ready', data: {} }])
    const id = await transfer('alice')
    for (const one of [root, alice]) await one.saw('transfer', { id, state: 'queued' })
    await root.saw('job', { name: 'transfer', state: 'queued' })
    await api.expect(200, 'POST', `/registries/${closed}/sync`, { as: 'root' })
    for (const one of [root, alice]) await one.saw('sync', { registry: closed, state: 'queued' })
    const change = { as: 'root', body: { accessKey: 'somebody' } }
    for (const registry of [closed, open]) {
      await api.expect(200, 'PATCH', `/registries/${registry}`, change)
    }
    await root.saw('registry', { id: closed, accessKey: 'somebody' })
    await alice.saw('registry', { id: closed, accessKey: null })
    await stranger.saw('registry', { id: open, accessKey: null })
    expect(stranger.told.filter(({ event }) => event !== 'ready')).toEqual(stranger.of('registry'))
    expect(stranger.of('registry').map(({ data }) => data.id)).toEqual([open])
    expect(alice.of('job')).toEqual([])
    // Nothing is told twice.
    const states = root.of('transfer').map(({ data }) => JSON.stringify(data))
    expect(new Set(states).size).toBe(states.length)
  })

  test('what comes to light late, and out of order, is told too', async () => {
    await addRegistry('closed', null)
    const first = await transfer('root')
    const second = await transfer('root')
    const root = await follow({ as: 'root' })
    const { db, clock } = api.accounts
    const write = (id: number, late: number, bytes: number) =>
      db.query
        .updateTable('transfer')
        .set({ updated_at: clock() - late, state: 'running', bytes_sent: bytes, speed: 7 })
        .where('id', '=', id)
        .execute()
    await write(second, 0, 100)
    await root.saw('transfer', { id: second, bytes: { sent: 100 } })
    await write(first, 6_000, 50)
    await root.saw('transfer', { id: first, speed: 7, bytes: { sent: 50 } })
    await write(first, 6_000, 51)
    await root.saw('transfer', { id: first, bytes: { sent: 51 } })
  })

  test('runners are told to who manages them, also that nothing is heard of one any more', async () => {
    await api.expect(201, 'POST', '/runners', { as: 'root', body: { id: 'edge-1' } })
    const root = await follow({ as: 'root' })
    const alice = await follow({ as: 'alice' })
    const { db, clock } = api.accounts
    await db.query
      .updateTable('runner')
      .set({ state: 'enrolled', last_seen_at: clock() - 59_000 })
      .where('id', '=', 'edge-1')
      .execute()
    await root.saw('runner', { id: 'edge-1', state: 'online' })
    api.accounts.pass(2_000)
    await root.saw('runner', { id: 'edge-1', state: 'away' })
    expect(alice.of('runner')).toEqual([])
    await api.expect(204, 'DELETE', '/runners/edge-1', { as: 'root' })
    await root.saw('refresh', {})
  })

  test('a registry that is gone, and a pause, are told as something missed', async () => {
    const id = await addRegistry('closed', null)
    const root = await follow({ as: 'root' })
    await api.expect(204, 'DELETE', `/registries/${id}`, { as: 'root' })
    await root.saw('refresh', {})
    const before = root.of('refresh').length
    api.accounts.pass(10_000)
    const deadline = Date.now() + 20_000
    while (root.of('refresh').length === before && Date.now() < deadline) await Bun.sleep(20)
    expect(root.of('refresh').length).toBeGreaterThan(before)
  })

  test('who was here before is told to read again; HEAD follows nothing', async () => {
    const back = await follow({ as: 'alice', headers: { 'last-event-id': '7' } })
    await back.saw('refresh', {})
    const head = await api.respond('HEAD', '/events', { as: 'alice' })
    expect([head.status, head.body, head.headers.get('x-accel-buffering')]).toEqual([
      200,
      null,
      'no',
    ])
    await api.expect(401, 'GET', '/events')
  })

  test('ends with the session, which it does not keep alive', async () => {
    const body = { name: 'alice', password: 'Correct-horse-1' }
    const signedIn = await api.expect(201, 'POST', '/session', { body })
    const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    const alice = await follow({ headers: { cookie } })
    const { db } = api.accounts
    const used = async () =>
      (await db.query.selectFrom('session').select('used_at').executeTakeFirst())?.used_at
    const before = await used()
    api.accounts.pass(120_000)
    await alice.saw('refresh', {})
    expect(await used()).toBe(before)
    await db.query.deleteFrom('session').execute()
    api.accounts.pass(5_000)
    await alice.ended()
  })

  test('ends when the account, or the token, is no good any more', async () => {
    const made = await api.expect(201, 'POST', '/tokens', { as: 'alice', body: { name: 'ci' } })
    const byToken = await follow({ as: `Bearer ${made.body.token}` })
    const byPassword = await follow({ as: 'alice' })
    await api.expect(204, 'DELETE', `/tokens/${made.body.id}`, { as: 'alice' })
    api.accounts.pass(5_000)
    await byToken.ended()
    const { body } = await api.expect(200, 'GET', '/users/alice', { as: 'root' })
    await api.expect(200, 'PATCH', `/users/${body.id}`, { as: 'root', body: { disabled: true } })
    api.accounts.pass(5_000)
    await byPassword.ended()
  })

  test('ends within five seconds when another process revoked the token', async () => {
    const id = await addRegistry('open', null)
    const made = await api.expect(201, 'POST', '/tokens', { as: 'alice', body: { name: 'ci' } })
    const byToken = await follow({ as: `Bearer ${made.body.token}` })
    for (const accessKey of ['one', 'two']) {
      await api.expect(200, 'PATCH', `/registries/${id}`, { as: 'root', body: { accessKey } })
      await byToken.saw('registry', { id })
      byToken.told.length = 0
      // What was found good now is remembered from here.
      if (accessKey === 'one') api.accounts.pass(1_000)
    }
    await api.accounts.db.query.deleteFrom('api_token').execute()
    api.accounts.pass(4_200)
    await Bun.sleep(100)
    api.accounts.pass(850)
    await byToken.ended()
  })

  test('an account has so many at most; who leaves makes room; a stop ends all', async () => {
    for (let i = 0; i < 20; i++) await follow({ as: 'alice' })
    const refused = await api.expect(429, 'GET', '/events', { as: 'alice' })
    expect(refused.headers.get('retry-after')).toBe('30')
    readers[0]?.abort()
    const again = await follow({ as: 'alice' })
    const other = await follow({ as: 'stranger' })
    api.stop()
    await again.ended()
    await other.ended()
    await api.expect(503, 'GET', '/events', { as: 'stranger' })
  })
})
