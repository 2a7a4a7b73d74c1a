import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { PASSWORD } from '../../accounts/test-accounts.ts'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi
beforeEach(async () => {
  api = await createTestApi()
  await api.accounts.createUser('alice')
})
afterEach(() => api.remove())

const NAME_AND_PASSWORD = { name: 'alice', password: PASSWORD }

/** What a browser has after signing in. */
async function signIn(body: object = NAME_AND_PASSWORD) {
  const answer = await api.expect(201, 'POST', '/session', { body })
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';')
  return { cookie, 'x-csrf-token': String(answer.body.csrfToken) }
}

const accountIn = (body: { [field: string]: unknown }) =>
  (body.account as { name: string } | null)?.name

describe('signing in', () => {
  test('gives a cookie that scripts and other sites do not get', async () => {
    const { headers, body } = await api.expect(201, 'POST', '/session', {
      body: NAME_AND_PASSWORD,
    })
    expect(headers.get('set-cookie')).toMatch(
      /^entrepot=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/,
    )
    expect(accountIn(body)).toBe('alice')
    expect(body.hasGeneratedPassword).toBe(false)
    expect(body.mayCreateProjects).toBe(true)
    expect(await api.audited()).toEqual(['session.create alice'])
  })

  test('over TLS binds the cookie to it and to this host', async () => {
    const { headers } = await api.expect(201, 'POST', '/session', {
      body: NAME_AND_PASSWORD,
      origin: 'https://registry.example.com',
    })
    expect(headers.get('set-cookie')).toMatch(/^__Host-entrepot=.*; Secure$/)
  })

  test('is refused for a wrong password and for tokens, and counted', async () => {
    const { token } = await api.accounts.apiTokens.create(
      (await api.accounts.users.find('alice'))?.id ?? 0,
      { name: 'ci' },
    )
    for (const password of ['wrong', token]) {
      const answer = await api.expect(401, 'POST', '/session', {
        body: { name: 'alice', password },
      })
      expect(answer.headers.get('set-cookie')).toBeNull()
    }
    for (let i = 0; i < 8; i++) {
      await api.call('POST', '/session', { body: { name: 'alice', password: `wrong ${i}` } })
    }
    await api.expect(429, 'POST', '/session', { body: NAME_AND_PASSWORD })
  })

  test('from a page of another site is refused', async () => {
    for (const headers of [
      { origin: 'https://elsewhere.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: 'http://registry.example.com' },
    ]) {
      await api.expect(403, 'POST', '/session', { body: NAME_AND_PASSWORD, headers })
    }
    const headers = { origin: 'http://registry.example.com', 'sec-fetch-site': 'same-origin' }
    await api.expect(201, 'POST', '/session', { body: NAME_AND_PASSWORD, headers })
  })

  test('again closes the session of before', async () => {
    const first = await signIn()
    await api.expect(201, 'POST', '/session', { body: NAME_AND_PASSWORD, headers: first })
    await api.expect(401, 'GET', '/me', { headers: first })
  })
})

describe('a session', () => {
  test('reads with the cookie alone and changes with its token', async () => {
    const session = await signIn()
    const { cookie } = session
    const me = await api.expect(200, 'GET', '/me', { headers: { cookie } })
    expect(me.body.name).toBe('alice')
    const body = { name: 'payments' }
    await api.expect(403, 'POST', '/projects', { body, headers: { cookie } })
    const other = await signIn()
    const mixed = { cookie, 'x-csrf-token': other['x-csrf-token'] }
    await api.expect(403, 'POST', '/projects', { body, headers: mixed })
    const elsewhere = { ...session, origin: 'https://elsewhere.example' }
    await api.expect(403, 'POST', '/projects', { body, headers: elsewhere })
    await api.expect(201, 'POST', '/projects', { body, headers: session })
  })

  test('says whose it is, and tells its token again', async () => {
    const session = await signIn()
    const { body } = await api.expect(200, 'GET', '/session', {
      headers: { cookie: `other=1; ${session.cookie}` },
    })
    expect(accountIn(body)).toBe('alice')
    expect(body.csrfToken).toBe(session['x-csrf-token'])
    const nobody = await api.expect(200, 'GET', '/session')
    expect(nobody.body.account).toBeNull()
    expect(nobody.body.mayCreateProjects).toBe(false)
    const basic = await api.expect(200, 'GET', '/session', { as: 'alice' })
    expect([accountIn(basic.body), basic.body.csrfToken]).toEqual(['alice', null])
  })

  test('counts for less than Authorization', async () => {
    const session = await signIn()
    const me = await api.expect(200, 'GET', '/me', { as: 'root', headers: session })
    expect(me.body.name).toBe('root')
  })

  test('that ended is told from none', async () => {
    const session = await signIn()
    await api.expect(204, 'DELETE', '/session', { headers: session })
    const answer = await api.expect(401, 'GET', '/projects', { headers: session })
    expect(answer.body.detail).toContain('has ended')
    expect(answer.headers.get('set-cookie')).toStartWith('entrepot=; ')
    // A challenge that browsers know would cover the console with a window of theirs.
    expect(answer.headers.get('www-authenticate')).toBe('Session realm="entrepot"')
    const { body } = await api.expect(200, 'GET', '/session', { headers: session })
    expect(body.account).toBeNull()
    await api.expect(204, 'DELETE', '/session', { headers: session })
    await api.expect(204, 'DELETE', '/session')
    expect(await api.audited()).toEqual(['session.create alice', 'session.delete alice'])
  })

  test('ends with a new password, but the one that changed it goes on', async () => {
    const [session, other] = [await signIn(), await signIn()]
    const body = { currentPassword: PASSWORD, newPassword: 'Another-horse-2' }
    const changed = await api.expect(204, 'PATCH', '/me/password', { body, headers: session })
    await api.expect(401, 'GET', '/me', { headers: session })
    await api.expect(401, 'GET', '/me', { headers: other })
    const [cookie = ''] = (changed.headers.get('set-cookie') ?? '').split(';')
    const again = await api.expect(200, 'GET', '/session', { headers: { cookie } })
    expect(accountIn(again.body)).toBe('alice')
  })
})
