import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { basic, PASSWORD } from '../../accounts/test-accounts.ts'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi
let alice: number

beforeEach(async () => {
  api = await createTestApi()
  alice = await api.accounts.createUser('alice')
})
afterEach(async () => {
  expect(api.failures).toEqual([])
  await api.remove()
})

const NEW_PASSWORD = 'Correct-horse-2'

describe('users', () => {
  test('are created, read, changed and deleted by system administrators', async () => {
    const body = { name: 'bob', password: PASSWORD, displayName: 'Bob', email: 'bob@example.com' }
    await api.expect(403, 'POST', '/users', { as: 'alice', body })
    const created = await api.expect(201, 'POST', '/users', { as: 'root', body })
    expect(created.headers.get('location')).toBe('/api/v1/users/bob')
    expect(created.text).not.toContain(PASSWORD)
    const { id } = created.body
    for (const asked of ['bob', `${id}`]) {
      const read = await api.expect(200, 'GET', `/users/${asked}`, { as: 'root' })
      expect(read.body).toEqual(created.body)
    }
    const change = { displayName: 'B', email: null, admin: true }
    const headers = { 'if-match': '"1"' }
    const changed = await api.expect(200, 'PATCH', '/users/bob', {
      as: 'root',
      body: change,
      headers,
    })
    expect(changed.body).toMatchObject({ ...change, version: 2 })
    await api.expect(412, 'PATCH', '/users/bob', { as: 'root', body: change, headers })
    await api.expect(200, 'GET', '/users', { as: 'bob' })
    await api.expect(200, 'PATCH', '/users/bob', { as: 'root', body: { disabled: true } })
    await api.expect(401, 'GET', '/me', { as: 'bob' })
    await api.expect(412, 'DELETE', '/users/bob', { as: 'root', headers })
    await api.expect(204, 'DELETE', '/users/bob', { as: 'root' })
    await api.expect(404, 'GET', '/users/bob', { as: 'root' })
    expect(await api.audited()).toEqual([
      'user.create bob',
      'user.update bob',
      'user.update bob',
      'user.delete bob',
    ])
  })

  test('are listed by name', async () => {
    const names = async (query: string) => {
      const { body } = await api.expect(200, 'GET', `/users${query}`, { as: 'root' })
      return [body.items.map(({ name }) => name), body.next]
    }
    expect(await names('')).toEqual([['alice', 'root'], null])
    expect(await names('?limit=1')).toEqual([['alice'], 'alice'])
    expect(await names('?after=alice')).toEqual([['root'], null])
    expect(await names('?nameHas=lic')).toEqual([['alice'], null])
    await api.expect(403, 'GET', '/users', { as: 'alice' })
    await api.expect(401, 'GET', '/users')
  })

  test('wrong input', async () => {
    const create = async (body: object) =>
      (await api.call('POST', '/users', { as: 'root', body })).body
    expect((await create({ name: 'alice', password: PASSWORD })).code).toBe('conflict')
    expect((await create({ name: 'x', password: 'short' })).errors[0]?.field).toBe('password')
    expect((await create({ name: 'a+b', password: PASSWORD })).errors[0]?.field).toBe('name')
    const user = { name: 'x', password: PASSWORD }
    expect((await create({ ...user, email: 'nowhere' })).errors[0]?.field).toBe('email')
    expect((await create({ ...user, isAdmin: true })).errors[0]?.field).toBe('isAdmin')
    const last = { as: 'root', body: { admin: false } }
    await api.expect(409, 'PATCH', '/users/root', last)
    await api.expect(409, 'DELETE', '/users/root', { as: 'root' })
  })

  test('get a new password; their API tokens live on unless asked', async () => {
    const created = await api.expect(201, 'POST', '/tokens', { as: 'alice', body: { name: 't' } })
    const as = `Bearer ${created.body.token}`
    const put = (body: object) =>
      api.expect(204, 'PUT', '/users/alice/password', { as: 'root', body })
    await put({ password: NEW_PASSWORD })
    await api.expect(401, 'GET', '/me', { as: 'alice' })
    await api.expect(200, 'GET', '/me', { as: basic('alice', NEW_PASSWORD) })
    await api.expect(200, 'GET', '/me', { as })
    await put({ password: NEW_PASSWORD, revokeApiTokens: true })
    await api.expect(401, 'GET', '/me', { as })
    const own = { as: 'alice', body: { password: NEW_PASSWORD } }
    await api.expect(401, 'PUT', '/users/alice/password', own)
    expect(await api.audited()).toEqual([
      'token.create alice',
      'user.password alice',
      'user.password alice',
    ])
  })
})

describe('me', () => {
  test('is who asks', async () => {
    const { body } = await api.expect(200, 'GET', '/me', { as: 'alice' })
    expect(body).toMatchObject({ id: alice, kind: 'user', name: 'alice', admin: false })
    await api.expect(401, 'GET', '/me')
  })

  test('changes the password with the present one', async () => {
    const change = (currentPassword: string, newPassword = NEW_PASSWORD, as = 'alice') =>
      api.call('PATCH', '/me/password', { as, body: { currentPassword, newPassword } })
    const wrong = await change('Wrong-horse-1')
    expect([wrong.status, wrong.body.errors[0]?.field]).toEqual([403, 'currentPassword'])
    expect((await change(PASSWORD, 'weak')).status).toBe(400)
    const body = { newPassword: NEW_PASSWORD }
    await api.expect(400, 'PATCH', '/me/password', { as: 'alice', body })
    expect((await change(PASSWORD)).status).toBe(204)
    await api.expect(401, 'GET', '/me', { as: 'alice' })
    await api.expect(200, 'GET', '/me', { as: basic('alice', NEW_PASSWORD) })
    expect(await api.audited()).toEqual(['me.password alice'])
  })

  test('a token cannot change the password without it', async () => {
    const { body } = await api.expect(201, 'POST', '/tokens', { as: 'alice', body: { name: 't' } })
    const as = `Bearer ${body.token}`
    const guess = { currentPassword: String(body.token), newPassword: NEW_PASSWORD }
    await api.expect(403, 'PATCH', '/me/password', { as, body: guess })
  })
})

describe('tokens', () => {
  test('need nothing but a name, are shown once and revoked', async () => {
    const created = await api.expect(201, 'POST', '/tokens', { as: 'alice', body: { name: 'ci' } })
    const { id, name, token } = created.body
    expect([name, created.headers.get('location')]).toEqual(['ci', `/api/v1/tokens/${id}`])
    for (const as of [`Bearer ${token}`, basic('alice', String(token))]) {
      const me = await api.expect(200, 'GET', '/me', { as })
      expect(me.body.name).toBe('alice')
    }
    const list = await api.expect(200, 'GET', '/tokens', { as: 'alice' })
    expect(list.body.items).toMatchObject([{ id, name: 'ci', expiresAt: null }])
    expect(list.text).not.toContain(String(token))
    expect((await api.expect(200, 'GET', '/tokens', { as: 'root' })).body.items).toEqual([])
    await api.expect(404, 'DELETE', `/tokens/${id}`, { as: 'root' })
    await api.expect(204, 'DELETE', `/tokens/${id}`, { as: 'alice' })
    await api.expect(401, 'GET', '/me', { as: `Bearer ${token}` })
    expect(await api.audited()).toEqual(['token.create alice', 'token.delete alice'])
    const audit = await api.call('GET', '/audit', { as: 'root' })
    expect(audit.text).not.toContain(String(token))
  })

  test('wrong input', async () => {
    const create = (body: object) => api.call('POST', '/tokens', { as: 'alice', body })
    expect((await create({})).body.errors).toEqual([
      { field: 'name', message: 'is required', says: { name: 'field_required', params: {} } },
    ])
    expect((await create({ name: ' ' })).status).toBe(400)
    expect((await create({ name: 'x', expiresAt: 5 })).body.errors[0]?.field).toBe('expiresAt')
    expect((await create({ name: 'x', account: 1 })).status).toBe(400)
    expect((await create({ name: 'x' })).status).toBe(201)
    expect((await create({ name: 'x' })).status).toBe(409)
    await api.expect(401, 'POST', '/tokens', { body: { name: 'x' } })
  })

  test('do not outlive the token that made them', async () => {
    const soon = api.accounts.clock() + 60_000
    const first = await api.expect(201, 'POST', '/tokens', {
      as: 'alice',
      body: { name: 'short', expiresAt: soon },
    })
    const as = `Bearer ${first.body.token}`
    const second = await api.expect(201, 'POST', '/tokens', { as, body: { name: 'heir' } })
    expect(second.body.expiresAt).toBe(soon)
    const body = { name: 'longer', expiresAt: soon + 1 }
    await api.expect(403, 'POST', '/tokens', { as, body })
  })

  test('are for people', async () => {
    await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name: 'payments' } })
    const robot = await api.expect(201, 'POST', '/projects/payments/robots', {
      as: 'alice',
      body: { name: 'ci', role: 'developer' },
    })
    const as = basic('payments+ci', String(robot.body.secret))
    expect((await api.expect(200, 'GET', '/me', { as })).body).toMatchObject({ kind: 'robot' })
    await api.expect(403, 'POST', '/tokens', { as, body: { name: 'x' } })
    const body = { currentPassword: String(robot.body.secret), newPassword: NEW_PASSWORD }
    await api.expect(403, 'PATCH', '/me/password', { as, body })
  })
})
