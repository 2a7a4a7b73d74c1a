import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi
let alice: number

beforeEach(async () => {
  api = await createTestApi()
  alice = await api.accounts.createUser('alice')
  await api.accounts.createUser('stranger')
  await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name: 'payments' } })
})
afterEach(async () => {
  expect(api.failures).toEqual([])
  await api.remove()
})

const matching = (version: number) => ({ 'if-match': `"${version}"` })

describe('projects', () => {
  test('who creates one is its administrator; it is read by name and by id', async () => {
    const byName = await api.expect(200, 'GET', '/projects/payments', { as: 'alice' })
    expect(byName.body).toMatchObject({
      name: 'payments',
      public: false,
      quota: -1,
      description: '',
      version: 1,
      usage: { logicalBytes: 0, uniqueBytes: 0 },
      role: 'admin',
    })
    expect(byName.headers.get('etag')).toBe('"1"')
    expect(byName.headers.get('cache-control')).toBe('no-store')
    const { id } = byName.body
    for (const asked of [`${id}`, `id:${id}`]) {
      const byId = await api.expect(200, 'GET', `/projects/${asked}`, { as: 'alice' })
      expect(byId.body).toEqual(byName.body)
    }
  })

  test('a name of digits comes before an id, and id: is always one', async () => {
    const { id } = (await api.call('GET', '/projects/payments', { as: 'alice' })).body
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: `${id}` } })
    const named = await api.expect(200, 'GET', `/projects/${id}`, { as: 'root' })
    expect(named.body.name).toBe(`${id}`)
    const byId = await api.expect(200, 'GET', `/projects/id:${id}`, { as: 'root' })
    expect(byId.body.name).toBe('payments')
  })

  test('an administrator of the project gives it an alias, and takes it away', async () => {
    const patch = (status: number, alias: unknown, project = 'payments', as = 'alice') =>
      api.expect(status, 'PATCH', `/projects/${project}`, { as, body: { alias } })
    const alias = '0123456789abcdef0123456789abcdef'
    expect((await patch(200, alias)).body).toMatchObject({ alias, version: 2 })
    expect((await patch(200, alias)).body.alias).toBe(alias)
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'other' } })
    expect((await patch(409, alias, 'other', 'root')).body.detail).toContain('is taken')
    // Whoever created a project of that name would get what scripts send to the alias.
    await api.expect(409, 'POST', '/projects', { as: 'root', body: { name: alias } })
    expect((await patch(200, null)).body.alias).toBeNull()
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: alias } })
    await patch(409, alias)
    await patch(200, 'payments')
    await patch(404, 'mine', 'other')
    for (const good of ['a', 'A_b~c.d-1', 'x'.repeat(256), '1234567890123456'])
      await patch(200, good)
    for (const bad of ['', 'x'.repeat(257), 'a/b', 'a b', '.', '7', `${'0'.repeat(31)}7`, 'ä', 7]) {
      await patch(400, bad)
    }
  })

  test('uses what was pushed', async () => {
    await api.push('payments/web', 'a')
    const { body } = await api.expect(200, 'GET', '/projects/payments', { as: 'alice' })
    const { size } = (await api.accounts.db.query
      .selectFrom('manifest')
      .select('size')
      .executeTakeFirst()) ?? { size: 0 }
    expect(size).toBeGreaterThan(0)
    expect(body.usage).toEqual({ logicalBytes: size, uniqueBytes: size })
  })

  test('only system administrators set a quota, and 0 is none', async () => {
    const body = { name: 'big', quota: 1000 }
    const refused = await api.expect(403, 'POST', '/projects', { as: 'alice', body })
    expect(refused.body.detail).toContain('system administrators may')
    await api.expect(403, 'PATCH', '/projects/payments', { as: 'alice', body: { quota: -1 } })
    await api.expect(201, 'POST', '/projects', { as: 'root', body })
    const patched = await api.expect(200, 'PATCH', '/projects/payments', {
      as: 'root',
      body: { quota: 5 },
    })
    expect(patched.body.quota).toBe(5)
    for (const quota of [0, -2, 1.5, '7']) {
      const answer = await api.expect(400, 'PATCH', '/projects/big', {
        as: 'root',
        body: { quota },
      })
      expect(answer.body.errors[0]?.field).toBe('quota')
    }
  })

  test('a wrong name, a reserved one and one that is taken', async () => {
    const create = (name: unknown) => api.call('POST', '/projects', { as: 'alice', body: { name } })
    for (const name of ['UPPER', 'a/b', '', 'a..b', 'api', 'x'.repeat(256), 'nul\u0000']) {
      expect([name, (await create(name)).body.code]).toEqual([name, 'name_invalid'])
    }
    expect((await create(7)).body.code).toBe('invalid_input')
    expect((await create('payments')).body.code).toBe('conflict')
  })

  test('the project of the installation itself is for system administrators to make', async () => {
    const create = (as: string) =>
      api.call('POST', '/projects', { as, body: { name: 'system', public: true } })
    const { body } = await create('alice')
    expect(body.code).toBe('name_invalid')
    expect(body.detail).toContain('only a system administrator')
    expect((await create('root')).status).toBe(201)
  })

  test('fields that are not known are named, and change nothing', async () => {
    const { status, body } = await api.call('PATCH', '/projects/payments', {
      as: 'alice',
      body: { description: 'x', version: 9, id: 1, createdBy: 3, is_public: 1 },
    })
    expect(status).toBe(400)
    expect(body.errors.map(({ field }) => field).sort()).toEqual([
      'createdBy',
      'id',
      'is_public',
      'version',
    ])
    expect((await api.call('GET', '/projects/payments', { as: 'alice' })).body.version).toBe(1)
  })

  test('changes take the version that was seen, any, or none', async () => {
    const patch = (description: string, headers: Record<string, string> = {}) =>
      api.call('PATCH', '/projects/payments', { as: 'alice', body: { description }, headers })
    const first = await patch('one', matching(1))
    expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"'])
    for (const header of ['"1"', 'W/"2"', '2', '"else"', '""']) {
      const refused = await patch('two', { 'if-match': header })
      expect([header, refused.status]).toEqual([header, 412])
    }
    expect((await patch('three', { 'if-match': '*' })).status).toBe(200)
    expect((await patch('four')).status).toBe(200)
    expect((await patch('five', { 'if-match': '"4", "5"' })).status).toBe(400)
    const { body } = await api.call('GET', '/projects/payments', { as: 'alice' })
    expect([body.description, body.version]).toEqual(['four', 4])
  })

  test('is deleted when it is empty', async () => {
    await api.push('payments/web', 'a')
    const refused = await api.expect(409, 'DELETE', '/projects/payments', { as: 'alice' })
    expect([refused.body.code, refused.body.detail]).toEqual([
      'in_use',
      expect.stringContaining('"web"'),
    ])
    await api.expect(204, 'DELETE', '/projects/payments/repositories/web', { as: 'alice' })
    const headers = matching(7)
    await api.expect(412, 'DELETE', '/projects/payments', { as: 'alice', headers })
    await api.expect(204, 'DELETE', '/projects/payments', { as: 'alice', headers: matching(1) })
    await api.expect(404, 'GET', '/projects/payments', { as: 'alice' })
  })

  test('without rights a private project looks like none', async () => {
    const asked = async (name: string, as?: string) => {
      const { status, body, headers } = await api.call('GET', `/projects/${name}`, { as })
      return [status, body.code, body.detail.replace(name, '…'), headers.get('www-authenticate')]
    }
    for (const as of ['stranger', undefined]) {
      expect(await asked('payments', as)).toEqual(await asked('nothing', as))
    }
    expect((await asked('payments', 'stranger'))[0]).toBe(404)
    expect((await asked('payments'))[0]).toBe(401)
    // Nor is the name told to those who guess ids.
    const { id } = (await api.call('GET', '/projects/payments', { as: 'alice' })).body
    const guessed = await api.expect(404, 'GET', `/projects/${id}`, { as: 'stranger' })
    expect(guessed.text).not.toContain('payments')
  })

  test('everybody sees public ones, members their own, administrators all', async () => {
    for (const name of ['open', 'hidden', 'opera']) {
      const body = { name, public: name !== 'hidden' }
      await api.expect(201, 'POST', '/projects', { as: 'root', body })
    }
    const names = async (as?: string, query = '') => {
      const { body } = await api.expect(200, 'GET', `/projects${query}`, { as })
      return body.items.map(({ name }) => name)
    }
    expect(await names()).toEqual(['open', 'opera'])
    expect(await names('alice')).toEqual(['open', 'opera', 'payments'])
    expect(await names('root')).toEqual(['hidden', 'open', 'opera', 'payments'])
    expect(await names('root', '?nameHas=ope')).toEqual(['open', 'opera'])
    expect(await names('root', '?nameHas=%25')).toEqual([])
  })

  test('pages', async () => {
    for (const name of ['a', 'b', 'c', 'd']) {
      await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name } })
    }
    const first = await api.expect(200, 'GET', '/projects?limit=3&nameHas=', { as: 'alice' })
    expect(first.body.next).toBe('c')
    expect(first.headers.get('link')).toBe(
      '</api/v1/projects?limit=3&nameHas=&after=c>; rel="next"',
    )
    const second = await api.expect(200, 'GET', '/projects?limit=3&after=c', { as: 'alice' })
    expect(second.body.items.map(({ name }) => name)).toEqual(['d', 'payments'])
    expect([second.body.next, second.headers.get('link')]).toEqual([null, null])
    for (const query of ['limit=0', 'limit=-1', 'limit=x', 'limit=1&limit=2', 'after=%00', 'x=1']) {
      expect([query, (await api.call('GET', `/projects?${query}`)).status]).toEqual([query, 400])
    }
  })

  test('every change is audited, with its circumstances', async () => {
    await api.expect(200, 'PATCH', '/projects/payments', { as: 'root', body: { quota: 9 } })
    await api.expect(204, 'DELETE', '/projects/payments', { as: 'alice' })
    expect(await api.audited()).toEqual([
      'project.create payments',
      'project.update payments',
      'project.delete payments',
    ])
    const { body } = await api.expect(200, 'GET', '/audit?action=project.update', { as: 'root' })
    expect(body.items[0]).toMatchObject({
      accountName: 'root',
      address: '192.0.2.7',
      requestId: 'request-1',
      details: { quota: 9, previousQuota: -1 },
    })
  })
})

describe('members', () => {
  const path = '/projects/payments/members'

  test('are added, changed and removed by name or id', async () => {
    const stranger = (await api.accounts.users.find('stranger'))?.id
    await api.expect(200, 'PUT', `${path}/stranger`, { as: 'alice', body: { role: 'guest' } })
    const seen = await api.expect(200, 'GET', path, { as: 'stranger' })
    expect(seen.body.items).toMatchObject([
      { account: alice, name: 'alice', role: 'admin', kind: 'user' },
      { account: stranger, name: 'stranger', role: 'guest', kind: 'user' },
    ])
    const body = { role: 'developer' }
    const changed = await api.expect(200, 'PUT', `${path}/${stranger}`, { as: 'alice', body })
    expect(changed.body.role).toBe('developer')
    await api.expect(403, 'PUT', `${path}/stranger`, { as: 'stranger', body: { role: 'admin' } })
    await api.expect(204, 'DELETE', `${path}/stranger`, { as: 'alice' })
    await api.expect(404, 'GET', '/projects/payments', { as: 'stranger' })
    await api.expect(404, 'DELETE', `${path}/stranger`, { as: 'alice' })
    expect((await api.audited()).slice(1)).toEqual([
      'member.update payments',
      'member.update payments',
      'member.delete payments',
    ])
    const audit = await api.call('GET', '/audit?action=member.update', { as: 'root' })
    expect(audit.body.items[0]?.details).toEqual({
      member: 'stranger',
      role: 'developer',
      previousRole: 'guest',
    })
  })

  test('a wrong role, a wrong name, nobody', async () => {
    const put = (name: string, body: object) =>
      api.call('PUT', `${path}/${name}`, { as: 'alice', body })
    expect((await put('stranger', { role: 'owner' })).body.errors[0]?.field).toBe('role')
    expect((await put('stranger', {})).body.errors).toEqual([
      { field: 'role', message: 'is required', says: { name: 'field_required', params: {} } },
    ])
    expect((await put('nobody', { role: 'guest' })).status).toBe(404)
    expect((await put('no%00body', { role: 'guest' })).status).toBe(400)
  })

  test('a robot of another project cannot be told from none', async () => {
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'other' } })
    const { body } = await api.expect(201, 'POST', '/projects/other/robots', {
      as: 'root',
      body: { name: 'ci', role: 'guest' },
    })
    for (const asked of ['other+ci', `${body.id}`]) {
      const answer = await api.expect(404, 'PUT', `${path}/${asked}`, {
        as: 'alice',
        body: { role: 'guest' },
      })
      expect(answer.body.detail).toBe(`there is no account "${asked}"`)
    }
  })

  test('If-Match is not ignored where there is no ETag', async () => {
    const call = { as: 'alice', body: { role: 'guest' }, headers: matching(1) }
    await api.expect(412, 'PUT', `${path}/stranger`, call)
  })
})
