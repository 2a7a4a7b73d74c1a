import { afterAll, beforeAll, expect, test } from 'bun:test'
import { newSecret } from '../../lib/ids.ts'
import { hashSecret } from '../../lib/secrets.ts'
import { createTestApi, type TestApi } from './test-api.ts'

/* What administrators do with runners, and how much of what runners say is believed. */

/** A point of P-256 (RFC 7515, A.3.1). */
const KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}

let api: TestApi
beforeAll(async () => {
  api = await createTestApi()
})
afterAll(() => api.remove())

const as = 'root'
const credential = `epn_${newSecret()}`
const bearer = `Bearer ${credential}`
const enrol = (token: string, change: object = {}) =>
  api.call('POST', '/runners/enrol', {
    body: {
      token,
      publicKey: KEY,
      credentialHash: hashSecret(credential),
      version: '1',
      ...change,
    },
  })
const lease = { begins: true, held: [], slots: 1, copies: 1, wait: 0, version: '0.1.0' }

let token: string

test('a runner is made with a token that is shown once', async () => {
  const made = await api.expect(201, 'POST', '/runners', {
    as,
    body: { id: 'edge-1', name: 'Data center 2' },
  })
  expect(made.headers.get('location')).toBe('/api/v1/runners/edge-1')
  const { runner, token: shown } = made.body as unknown as { runner: object; token: string }
  expect(runner).toMatchObject({ id: 'edge-1', name: 'Data center 2', state: 'invited' })
  token = shown
  expect(token).toStartWith('epe_')
  const read = await api.expect(200, 'GET', '/runners/edge-1', { as })
  expect(read.text).not.toContain(token)
  await api.expect(409, 'POST', '/runners', { as, body: { id: 'edge-1' } })
  const refused = await api.expect(400, 'POST', '/runners', { as, body: { id: 'local' } })
  const says = { name: 'runner_id_reserved', params: { name: 'local' } }
  expect(refused.body.errors).toEqual([{ field: 'id', message: expect.any(String), says }])
  await api.expect(400, 'POST', '/runners', { as, body: { project: 'no-such' } })
})

test('its program enrols with a key of the right kind', async () => {
  for (const change of [
    { publicKey: { ...KEY, d: 'private' } },
    { publicKey: { ...KEY, x: KEY.y } },
    { publicKey: { ...KEY, crv: 'P-384' } },
    { credentialHash: 'short' },
    { version: 'x'.repeat(65) },
  ]) {
    expect((await enrol(token, change)).status).toBe(400)
  }
  expect((await enrol('epe_wrong')).status).toBe(401)
  expect((await enrol(token)).body).toMatchObject({ id: 'edge-1', name: 'Data center 2' })
  expect((await enrol(token)).status).toBe(200)
  const other = { credentialHash: hashSecret('epn_other') }
  expect((await enrol(token, other)).status).toBe(401)
  const answer = await api.expect(200, 'POST', '/runners/self/lease', { as: bearer, body: lease })
  expect(answer.body).toMatchObject({ tasks: [], lost: [], rotate: false })
  expect((await api.expect(200, 'GET', '/runners/edge-1', { as })).body).toMatchObject({
    state: 'online',
    version: '0.1.0',
    keyEpoch: 1,
    registryCount: 0,
  })
})

test('what a runner says has bounds', async () => {
  const image = { tag: '1', digest: `sha256:${'0'.repeat(64)}` }
  const facts = { mediaType: 'a/b', size: 1, platforms: [], children: [] }
  const at = '/runners/self/tasks/1'
  for (const [path, body] of [
    ['/runners/self/lease', { ...lease, wait: 26 }],
    ['/runners/self/lease', { ...lease, slots: 17 }],
    ['/runners/self/heartbeat', { held: Array(17).fill({ id: 1, epoch: 1 }) }],
    [`${at}/known`, { epoch: 1, tags: Array(501).fill('1') }],
    [`${at}/known`, { epoch: 1, tags: ['a b'] }],
    [`${at}/pages`, { epoch: 1, page: { kind: 'repositories', found: [{ name: 'a\u0000b' }] } }],
    [`${at}/pages`, { epoch: 1, page: { kind: 'repositories', found: [{ name: '' }] } }],
    ...[
      { ...image, facts: { ...facts, size: -1 } },
      { ...image, facts: { ...facts, size: 1e300 } },
      { ...image, digest: 'sha256:0', facts },
      { ...image, facts: { ...facts, platforms: Array(65).fill('a/b') } },
      { ...image, facts: { ...facts, more: 1 } },
      { ...image, pushedAt: 1e15, facts },
    ].map((changed) => {
      const page = { kind: 'images', unchanged: [], changed: [changed] }
      return [`${at}/pages`, { epoch: 1, page }] as const
    }),
    [`${at}/result`, { epoch: 1, result: { kind: 'else' } }],
    [
      `${at}/result`,
      { epoch: 1, result: { kind: 'failed', failure: { code: 'other', message: '' } } },
    ],
  ] as const) {
    const answer = await api.call('POST', path, { as: bearer, body })
    expect([path, JSON.stringify(body).slice(0, 200), answer.status]).toEqual([
      path,
      JSON.stringify(body).slice(0, 200),
      400,
    ])
  }
  const good = { epoch: 1, page: { kind: 'images', unchanged: [], changed: [{ ...image, facts }] } }
  await api.expect(409, 'POST', `${at}/pages`, { as: bearer, body: good })
})

test('a registry names its runner, and errors name the field', async () => {
  const body = { provider: 'harbor', address: 'https://far.example.com', secretKey: 'planted-7' }
  const unknown = await api.expect(400, 'POST', '/registries', {
    as,
    body: { ...body, runner: 'no-such' },
  })
  expect(unknown.body.errors).toEqual([
    {
      field: 'runner',
      message: expect.stringContaining('local, edge-1'),
      says: { name: 'runner_unknown', params: { name: 'no-such' } },
    },
  ])
  const made = await api.expect(201, 'POST', '/registries', {
    as,
    body: { ...body, runner: 'edge-1' },
  })
  expect(made.body).toMatchObject({
    runner: 'edge-1',
    runnerHoldsSecret: true,
    hasSecret: true,
    isDefault: false,
  })
  const at = `/registries/${made.body.id}`
  const moved = await api.expect(400, 'PATCH', at, { as, body: { runner: 'local' } })
  expect(moved.body.errors).toMatchObject([{ field: 'runner' }])
  const home = await api.expect(200, 'PATCH', at, {
    as,
    body: { runner: 'local', secretKey: 'planted-8' },
  })
  expect(home.body).toMatchObject({ runner: 'local', runnerHoldsSecret: false })
  await api.expect(200, 'PATCH', at, { as, body: { runner: 'edge-1', secretKey: 'planted-9' } })
})

test('a runner is revoked, invited again and deleted, and all of it is in the audit', async () => {
  await api.expect(409, 'DELETE', '/runners/edge-1', { as })
  const revoked = await api.expect(200, 'POST', '/runners/edge-1/revoke', { as })
  expect(revoked.body).toMatchObject({ state: 'revoked' })
  const answer = await api.expect(401, 'POST', '/runners/self/lease', { as: bearer, body: lease })
  expect(answer.headers.get('www-authenticate')).toBeString()
  const again = await api.expect(201, 'POST', '/runners/edge-1/enrolment', { as })
  expect((await enrol(String(again.body.token))).status).toBe(200)
  const { items } = (await api.expect(200, 'GET', '/registries', { as })).body
  await api.expect(204, 'DELETE', `/registries/${items[0]?.id}`, { as })
  await api.expect(204, 'DELETE', '/runners/edge-1', { as })
  await api.expect(404, 'GET', '/runners/edge-1', { as })
  const actions = (await api.audited()).filter((line) => line.startsWith('runner'))
  expect(actions).toEqual([
    'runner.create edge-1',
    'runner-enrolment.use edge-1',
    'runner.revoke edge-1',
    'runner.invite edge-1',
    'runner-enrolment.use edge-1',
    'runner.delete edge-1',
  ])
})

test('the list is in the order of creation, by the page', async () => {
  for (const id of ['c', 'a', 'b']) await api.expect(201, 'POST', '/runners', { as, body: { id } })
  const first = await api.expect(200, 'GET', '/runners?limit=2', { as })
  expect(first.body.items.map(({ id }) => String(id))).toEqual(['c', 'a'])
  const rest = await api.expect(200, 'GET', `/runners?limit=2&after=${first.body.next}`, { as })
  expect(rest.body.items.map(({ id }) => String(id))).toEqual(['b'])
  expect(rest.body.next).toBeNull()
  await api.expect(400, 'GET', '/runners?after=x', { as })
})
