import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createTestApi, type TestApi } from './test-api.ts'

setDefaultTimeout(60_000)

/* What may be asked for, by whom, and who sees it; how copies are made is tried elsewhere. */

let api: TestApi
let harbor: string
beforeAll(async () => {
  api = await createTestApi()
  for (const name of ['alice', 'guest', 'keeper', 'stranger']) await api.accounts.createUser(name)
  for (const name of ['payments', 'other']) {
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name } })
  }
  for (const [name, role] of [
    ['alice', 'developer'],
    ['guest', 'guest'],
    ['keeper', 'maintainer'],
  ]) {
    const path = `/projects/payments/members/${name}`
    await api.expect(200, 'PUT', path, { as: 'root', body: { role } })
  }
  const add = (body: object) =>
    api.expect(201, 'POST', '/registries', {
      as: 'root',
      body: { provider: 'harbor', secretKey: 's', accessKey: 'a', ...body },
    })
  const address = 'https://harbor.example.com'
  const added = await add({ name: 'harbor', address, namespace: 'team', projects: ['payments'] })
  harbor = String(added.body.id)
  await add({ name: 'not ours', address: 'https://o.example.com', projects: ['other'] })
})
afterAll(() => api.remove())

const ours = { registry: 'self', repository: 'payments/deep/api', reference: '1.4' }
const create = (as: string | undefined, body: object) =>
  api.call('POST', '/transfers', { as, body })

describe('what is asked for', () => {
  test('a bare registry takes its namespace, the last segment of the name and the tag', async () => {
    const { status, body, headers } = await create('alice', {
      source: ours,
      target: { registry: 'harbor' },
    })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/api/v1/transfers/${body.id}`)
    expect(body).toMatchObject({
      project: 'payments',
      source: { registry: null, name: 'self', repository: 'payments/deep/api', reference: '1.4' },
      target: { registry: harbor, name: 'harbor', repository: 'team/api', tag: '1.4' },
      platforms: null,
      index: 'keep',
      referrers: true,
      overwrite: true,
      requestedBy: 'alice',
      state: 'queued',
      error: null,
    })
  })

  test('the default is meant where no registry is named, and ours takes the project', async () => {
    const { status, body } = await create('alice', {
      project: 'payments',
      source: { repository: 'vendor/app' },
      target: { registry: 'SELF' },
    })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      source: { registry: harbor, reference: 'latest' },
      target: { registry: null, repository: 'payments/app', tag: 'latest' },
    })
  })

  test('a digest brings no tag', async () => {
    const reference = `sha256:${'a'.repeat(64)}`
    const { body } = await create('alice', {
      source: { ...ours, reference },
      target: { registry: harbor },
    })
    expect(body).toMatchObject({ source: { reference }, target: { tag: null } })
  })

  const toHarbor = { registry: 'harbor' }
  test.each([
    ['platforms', { source: ours, target: toHarbor, platforms: ['arm64'] }],
    ['source.reference', { source: { ...ours, reference: 'a b' }, target: toHarbor }],
    ['target.tag', { source: ours, target: { ...toHarbor, tag: '-' } }],
    ['target.repository', { source: ours, target: { ...toHarbor, repository: 'UPPER' } }],
    [
      'source.repository',
      { source: { ...ours, repository: '../x' }, target: toHarbor, project: 'payments' },
    ],
    ['target', { source: ours, target: { registry: 'self', repository: 'payments/deep/api' } }],
    ['project', { source: { repository: 'a/b' }, target: toHarbor }],
  ])('what is wrong with "%s" is said', async (field, body) => {
    const answer = await create('alice', body)
    expect([answer.status, answer.body.errors[0]?.field]).toEqual([400, field])
  })
})

describe('who may', () => {
  const target = { registry: 'harbor' }

  test('signed in, a developer of the project, within the scope of the registry', async () => {
    const asked = { source: ours, target }
    expect((await create(undefined, asked)).status).toBe(401)
    expect((await create('stranger', asked)).body.code).toBe('project_unknown')
    const guest = await create('guest', asked)
    expect([guest.status, guest.body.code]).toEqual([403, 'denied'])
    const outside = await create('alice', { source: ours, target: { registry: 'not ours' } })
    expect(outside.status).toBe(404)
    expect(outside.body.detail).toContain('for project "payments"; it may use harbor')
  })

  test('from and to repositories of ours, who may pull and push there', async () => {
    const hidden = { registry: 'self', repository: 'other/app', reference: '1' }
    const read = await create('alice', { project: 'payments', source: hidden, target })
    expect([read.status, read.body.code]).toEqual([403, 'denied'])
    const into = { registry: 'self', repository: 'other/app' }
    const write = await create('alice', { project: 'payments', source: ours, target: into })
    expect([write.status, write.body.code]).toEqual([403, 'denied'])
    const within = { registry: 'self', repository: 'payments/copy' }
    expect((await create('guest', { source: ours, target: within })).status).toBe(403)
    expect((await create('alice', { source: ours, target: within })).status).toBe(201)
  })
})

describe('a transfer', () => {
  test('is seen by members of its project, newest first, page by page', async () => {
    const ids = async (as: string, query = '') =>
      (await api.expect(200, 'GET', `/transfers${query}`, { as })).body.items.map(({ id }) => id)
    const all = await ids('alice')
    expect(all.length).toBeGreaterThan(3)
    expect(all).toEqual([...all].sort((a, b) => b - a))
    expect(await ids('guest')).toEqual(all)
    expect(await ids('root')).toEqual(all)
    expect(await ids('stranger')).toEqual([])
    expect(await ids('alice', '?project=payments&state=queued')).toEqual(all)
    expect(await ids('alice', '?state=done')).toEqual([])
    const first = await api.expect(200, 'GET', '/transfers?limit=2', { as: 'alice' })
    expect(first.body.items.length).toBe(2)
    expect(await ids('alice', `?limit=999&after=${first.body.next}`)).toEqual(all.slice(2))
    const hidden = await api.call('GET', '/transfers?project=payments', { as: 'stranger' })
    expect([hidden.status, hidden.body.code]).toEqual([404, 'project_unknown'])
    expect((await api.call('GET', `/transfers/${all[0]}`, { as: 'stranger' })).status).toBe(404)
    expect((await api.call('GET', `/transfers/${all[0]}`, { as: 'guest' })).status).toBe(200)
  })

  test('is waited for until it ends, by who may see it', async () => {
    const made = await create('alice', { source: ours, target: { registry: 'harbor' } })
    const path = `/transfers/${made.body.id}`
    const get = (as: string, wait: string) => api.call('GET', `${path}?wait=${wait}`, { as })
    expect((await get('alice', '1')).body).toMatchObject({ state: 'queued', finishedAt: null })
    const [ended, cancelled] = await Promise.all([
      get('alice', '5'),
      Bun.sleep(50).then(() => api.call('POST', `${path}/cancel`, { as: 'alice' })),
    ])
    expect(cancelled.status).toBe(200)
    expect(ended.body).toMatchObject({ state: 'cancelled' })
    expect((await get('alice', '5')).body).toMatchObject({ state: 'cancelled' })
    expect((await get('stranger', '5')).status).toBe(404)
    for (const wait of ['0', '6', 'x', '']) expect((await get('alice', wait)).status).toBe(400)
  })

  test('is cancelled by whoever asked or keeps the project, and redone by whoever asked', async () => {
    const made = await create('alice', { source: ours, target: { registry: 'harbor' } })
    const path = `/transfers/${made.body.id}`
    const act = (as: string, what: string) => api.call('POST', `${path}/${what}`, { as })
    expect((await act('stranger', 'cancel')).status).toBe(404)
    expect((await act('guest', 'cancel')).status).toBe(403)
    expect((await act('alice', 'retry')).status).toBe(409)
    expect((await act('keeper', 'cancel')).body).toMatchObject({ state: 'cancelled' })
    expect((await act('alice', 'cancel')).status).toBe(409)
    expect((await act('keeper', 'retry')).status).toBe(403)
    expect((await act('alice', 'retry')).body).toMatchObject({ state: 'queued', finishedAt: null })
    const what = 'self:payments/deep/api:1.4 → harbor:team/api:1.4'
    expect((await api.audited()).slice(-3)).toEqual([
      `transfer.create ${what}`,
      `transfer.cancel ${what}`,
      `transfer.retry ${what}`,
    ])
    const uses = await api.expect(200, 'GET', `/registries/${harbor}/uses`, { as: 'root' })
    expect(uses.body.items.map(({ kind }) => kind)).toContain('transfer')
  })
})
