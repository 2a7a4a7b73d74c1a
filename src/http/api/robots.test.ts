import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ADDRESS, basic } from '../../accounts/test-accounts.ts'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi

beforeEach(async () => {
  api = await createTestApi()
  await api.accounts.createUser('alice')
  for (const name of ['payments', 'other']) {
    await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name } })
  }
})
afterEach(async () => {
  expect(api.failures).toEqual([])
  await api.remove()
})

const mayEnter = async (name: string, secret: unknown): Promise<boolean> => {
  const answer = api.accounts.authenticator.authenticate(basic(name, String(secret)), ADDRESS)
  return answer.then(
    () => true,
    () => false,
  )
}

describe('robots of a project', () => {
  const path = '/projects/payments/robots'
  const create = (body: object) => api.call('POST', path, { as: 'alice', body })

  test('are created with a secret that is shown once', async () => {
    const expiresAt = api.accounts.clock() + 60_000
    const body = { name: 'ci', role: 'developer', description: 'Builds', expiresAt }
    const created = await api.expect(201, 'POST', path, { as: 'alice', body })
    const { id } = created.body
    expect(created.headers.get('location')).toBe(`/api/v1${path}/${id}`)
    expect(await mayEnter('payments+ci', created.body.secret)).toBe(true)
    const { secret, ...shown } = created.body
    const read = await api.expect(200, 'GET', `${path}/${id}`, { as: 'alice' })
    expect(read.body).toEqual(shown)
    expect(read.body).toMatchObject({
      name: 'payments+ci',
      description: 'Builds',
      expiresAt,
      roles: [{ role: 'developer' }],
    })
    const list = await api.expect(200, 'GET', path, { as: 'alice' })
    expect(list.body.items).toEqual([read.body])
    const audit = await api.call('GET', '/audit?action=robot.create', { as: 'root' })
    expect(audit.body.items).toMatchObject([{ resource: 'payments+ci' }])
    expect(audit.text).not.toContain(String(secret))
  })

  test('wrong input', async () => {
    expect((await create({ name: 'a b', role: 'guest' })).status).toBe(400)
    expect((await create({ name: 'a', role: 'admin' })).body.errors[0]?.field).toBe('role')
    expect((await create({ name: 'a', role: 'guest', expiresAt: 1 })).body.errors[0]?.field).toBe(
      'expiresAt',
    )
    expect((await create({ name: 'a', role: 'guest', secret: 'mine' })).status).toBe(400)
    expect((await create({ name: 'a', role: 'guest' })).status).toBe(201)
    expect((await create({ name: 'a', role: 'guest' })).status).toBe(409)
    for (const id of ['0', 'x', '1e3', '99999999999999999999']) {
      expect((await api.call('GET', `${path}/${id}`, { as: 'alice' })).status).toBe(400)
    }
  })

  test('belong to the project in the path', async () => {
    const { id } = (await create({ name: 'ci', role: 'guest' })).body
    for (const elsewhere of ['/projects/other/robots', '/robots']) {
      const as = elsewhere === '/robots' ? 'root' : 'alice'
      await api.expect(404, 'GET', `${elsewhere}/${id}`, { as })
      const body = { disabled: true }
      await api.expect(404, 'PATCH', `${elsewhere}/${id}`, { as, body })
      await api.expect(404, 'POST', `${elsewhere}/${id}/rotate`, { as })
      await api.expect(404, 'DELETE', `${elsewhere}/${id}`, { as })
    }
  })

  test('get a new secret, with an overlap if asked for', async () => {
    const { id, secret: first } = (await create({ name: 'ci', role: 'guest' })).body
    const body = { overlapSeconds: 60 }
    const second = await api.expect(200, 'POST', `${path}/${id}/rotate`, { as: 'alice', body })
    expect(second.body.oldValidUntil).toBe(api.accounts.clock() + 60_000)
    expect(await mayEnter('payments+ci', first)).toBe(true)
    const third = await api.expect(200, 'POST', `${path}/${id}/rotate`, { as: 'alice' })
    expect(await mayEnter('payments+ci', first)).toBe(false)
    expect(await mayEnter('payments+ci', third.body.secret)).toBe(true)
    for (const overlapSeconds of [-1, 1e9, 'x']) {
      const wrong = { as: 'alice', body: { overlapSeconds } }
      await api.expect(400, 'POST', `${path}/${id}/rotate`, wrong)
    }
  })

  test('are changed, disabled and deleted', async () => {
    const { id, secret } = (await create({ name: 'ci', role: 'guest' })).body
    const patch = (body: object, headers = {}) =>
      api.call('PATCH', `${path}/${id}`, { as: 'alice', body, headers })
    const changed = await patch({ role: 'developer', description: 'x' }, { 'if-match': '"1"' })
    expect(changed.body).toMatchObject({
      description: 'x',
      version: 2,
      roles: [{ role: 'developer' }],
    })
    expect((await patch({ disabled: true }, { 'if-match': '"1"' })).status).toBe(412)
    expect((await patch({ disabled: true })).body).toMatchObject({
      disabled: true,
      roles: [{ role: 'developer' }],
    })
    expect(await mayEnter('payments+ci', secret)).toBe(false)
    const stale = { as: 'alice', headers: { 'if-match': '"1"' } }
    await api.expect(412, 'DELETE', `${path}/${id}`, stale)
    await api.expect(204, 'DELETE', `${path}/${id}`, { as: 'alice' })
    await api.expect(404, 'DELETE', `${path}/${id}`, { as: 'alice' })
    expect((await api.audited()).slice(2)).toEqual([
      'robot.create payments+ci',
      'robot.update payments+ci',
      'robot.update payments+ci',
      'robot.delete payments+ci',
    ])
  })
})

describe('robots of the system', () => {
  test('have roles in any projects; only system administrators manage them', async () => {
    const ids: number[] = []
    for (const name of ['payments', 'other']) {
      ids.push((await api.call('GET', `/projects/${name}`, { as: 'alice' })).body.id)
    }
    const roles = ids.map((project) => ({ project, role: 'guest' }))
    const body = { name: 'mirror', roles }
    await api.expect(403, 'POST', '/robots', { as: 'alice', body })
    await api.expect(401, 'POST', '/robots', { body })
    const created = await api.expect(201, 'POST', '/robots', { as: 'root', body })
    expect(created.body).toMatchObject({ name: 'system+mirror', project: null, roles })
    const { id, secret } = created.body
    const as = basic('system+mirror', String(secret))
    await api.expect(200, 'GET', '/projects/other', { as })
    await api.expect(201, 'POST', '/robots', { as: 'root', body: { name: 'idle', roles: [] } })
    const list = await api.expect(200, 'GET', '/robots?limit=1', { as: 'root' })
    expect([list.body.items[0]?.name, list.body.next]).toEqual(['system+idle', 'system+idle'])
    const rest = await api.expect(200, 'GET', '/robots?after=system%2Bidle', { as: 'root' })
    expect(rest.body.items).toMatchObject([{ id, roles }])
    const fewer = await api.expect(200, 'PATCH', `/robots/${id}`, {
      as: 'root',
      body: { roles: roles.slice(0, 1) },
    })
    expect(fewer.body.roles).toEqual(roles.slice(0, 1))
    await api.expect(200, 'POST', `/robots/${id}/rotate`, { as: 'root' })
    await api.expect(204, 'DELETE', `/robots/${id}`, { as: 'root' })
    const unknown = { as: 'root', body: { name: 'x', roles: [{ project: 999, role: 'guest' }] } }
    await api.expect(404, 'POST', '/robots', unknown)
    const extra = [{ project: ids[0], role: 'guest', admin: true }]
    await api.expect(400, 'POST', '/robots', { as: 'root', body: { name: 'x', roles: extra } })
  })
})
