import { afterEach, beforeEach, expect, test } from 'bun:test'
import { basic } from '../../accounts/test-accounts.ts'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi
beforeEach(async () => {
  api = await createTestApi()
  await api.accounts.createUser('alice')
  await api.accounts.createUser('bob')
})
afterEach(async () => {
  expect(api.failures).toEqual([])
  await api.remove()
})

const MINE = '/me/access-keys'
const post = (as: string, body: object, status = 201) =>
  api.expect(status, 'POST', MINE, { as, body })

test('the secret key is shown once', async () => {
  const { body, headers } = await post('alice', { name: 'scanner' })
  const { secretKey, ...rest } = body
  expect(rest).toEqual({
    id: rest.id,
    name: 'scanner',
    accessKey: expect.stringMatching(/^EPAK[A-Z0-9]{16}$/),
    disabled: false,
    createdAt: api.accounts.clock(),
    expiresAt: null,
    lastUsedAt: null,
  } as never)
  expect(String(secretKey)).toMatch(/^[\w-]{40}$/)
  expect(headers.get('location')).toBe(`/api/v1${MINE}/${rest.id}`)
  const listed = await api.expect(200, 'GET', MINE, { as: 'alice' })
  expect(listed.body.items).toEqual([rest as never])
  expect((await api.expect(200, 'GET', MINE, { as: 'bob' })).body.items).toEqual([])
})

test('a key is disabled, enabled and deleted by its owner, and the audit tells', async () => {
  const { id, accessKey } = (await post('alice', { name: 'scanner' })).body
  const find = () => api.accounts.accessKeys.find(String(accessKey))
  const patch = (as: string, body: object, status: number) =>
    api.expect(status, 'PATCH', `${MINE}/${id}`, { as, body })
  await patch('bob', { disabled: true }, 404)
  await patch('alice', {}, 400)
  expect((await patch('alice', { disabled: true }, 200)).body.disabled).toBe(true)
  expect(await find()).toBeUndefined()
  await patch('alice', { disabled: false }, 200)
  expect((await find())?.account.name).toBe('alice')
  await api.expect(404, 'DELETE', `${MINE}/${id}`, { as: 'bob' })
  await api.expect(204, 'DELETE', `${MINE}/${id}`, { as: 'alice' })
  expect(await find()).toBeUndefined()
  expect((await api.audited()).filter((entry) => entry.startsWith('access-key'))).toEqual([
    'access-key.create alice',
    'access-key.update alice',
    'access-key.update alice',
    'access-key.delete alice',
  ])
})

test('a key does not outlive the token that it was made with', async () => {
  const alice = (await api.accounts.users.find('alice'))?.id ?? 0
  const expiresAt = api.accounts.clock() + 60_000
  const { token } = await api.accounts.apiTokens.create(alice, { name: 'short', expiresAt })
  const as = `Bearer ${token}`
  expect((await post(as, { name: 'a' })).body.expiresAt).toBe(expiresAt)
  await post(as, { name: 'b', expiresAt: expiresAt + 1 }, 403)
  expect((await post('alice', { name: 'c', expiresAt: expiresAt + 1 })).body.expiresAt).toBe(
    expiresAt + 1,
  )
})

test('robots get keys from those who manage them, and make none themselves', async () => {
  await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name: 'payments' } })
  const inProject = '/projects/payments/robots'
  const roots = { as: 'root', body: { name: 'sync', roles: [] } }
  const robots = [
    [
      'alice',
      inProject,
      await api.expect(201, 'POST', inProject, {
        as: 'alice',
        body: { name: 'ci', role: 'maintainer' },
      }),
    ],
    ['root', '/robots', await api.expect(201, 'POST', '/robots', roots)],
  ] as const
  for (const [as, path, { body: robot }] of robots) {
    const keys = `${path}/${robot.id}/access-keys`
    const { body, headers } = await api.expect(201, 'POST', keys, { as, body: { name: 'hss' } })
    expect(headers.get('location')).toBe(`/api/v1${keys}/${body.id}`)
    const found = await api.accounts.accessKeys.find(String(body.accessKey))
    expect([found?.account.name, found?.secretKey]).toEqual([robot.name, String(body.secretKey)])
    const listed = await api.expect(200, 'GET', keys, { as })
    expect(listed.body.items).toMatchObject([{ id: body.id, name: 'hss' }])
    expect(listed.text).not.toContain(String(body.secretKey))
    const own = basic(robot.name, String(robot.secret))
    expect((await api.expect(200, 'GET', MINE, { as: own })).body.items).toHaveLength(1)
    await post(own, { name: 'mine' }, 403)
    await api.expect(403, 'PATCH', `${MINE}/${body.id}`, { as: own, body: { disabled: true } })
    await api.expect(204, 'DELETE', `${keys}/${body.id}`, { as })
    await api.expect(404, 'DELETE', `${keys}/${body.id}`, { as })
    // A person is no robot.
    const alice = (await api.accounts.users.find('alice'))?.id
    await api.expect(404, 'GET', `${path}/${alice}/access-keys`, { as })
  }
  const [[, , { body: ci }]] = robots
  await api.expect(404, 'GET', `/robots/${ci.id}/access-keys`, { as: 'root' })
})
