import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ADDRESS, PASSWORD, SERVICE } from '../../accounts/test-accounts.ts'
import { AppError } from '../../lib/errors.ts'
import { problemResponse } from './errors.ts'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi

beforeEach(async () => {
  api = await createTestApi()
  await api.accounts.createUser('alice')
  await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name: 'payments' } })
})
afterEach(async () => {
  expect(api.failures).toEqual([])
  await api.remove()
})

describe('paths and methods', () => {
  test('what is not there', async () => {
    for (const path of ['', '/', '/nothing', '/projects/', '/projects/payments/', '/%70rojects']) {
      const { status, body, headers } = await api.call('GET', path, { as: 'alice' })
      expect([path, status, body.code]).toEqual([path, 404, 'not_found'])
      expect(headers.get('content-type')).toBe('application/problem+json')
    }
  })

  test('another method is told which there are', async () => {
    const answer = await api.expect(405, 'PUT', '/projects/payments', { as: 'alice' })
    expect(answer.headers.get('allow')).toBe('GET, PATCH, DELETE, HEAD, OPTIONS')
    const options = await api.expect(204, 'OPTIONS', '/projects')
    expect(options.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
    await api.expect(404, 'OPTIONS', '/nothing')
  })

  test('HEAD is GET without its body', async () => {
    const get = await api.expect(200, 'GET', '/projects/payments', { as: 'alice' })
    const head = await api.expect(200, 'HEAD', '/projects/payments', { as: 'alice' })
    expect(head.text).toBe('')
    for (const name of ['content-length', 'content-type', 'etag', 'cache-control']) {
      expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)])
    }
    expect((await api.expect(401, 'HEAD', '/projects/payments')).text).toBe('')
  })
})

describe('bodies', () => {
  const post = (raw: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
    api.call('POST', '/projects', { as: 'alice', raw, headers: { 'content-type': type } })

  test('must be JSON and say so', async () => {
    const good = JSON.stringify({ name: 'a' })
    for (const type of ['text/plain', 'application/jsonx', 'application/x-www-form-urlencoded']) {
      const { status, body } = await post(good, type)
      expect([type, status, body.errors[0]?.field]).toEqual([type, 400, 'Content-Type'])
    }
    expect((await post(good, 'application/json; charset=utf-8')).status).toBe(201)
  })

  test('that are wrong are refused in words', async () => {
    const wrong = [
      '{',
      '[]',
      'null',
      '"x"',
      '7',
      '',
      '[[['.repeat(100_000),
      '{"name":"a","__proto__":{"quota":9}}',
      '{"name":"a","constructor":{}}',
      Buffer.from([0x22, 0xff, 0x22]),
    ]
    for (const raw of wrong) {
      const { status, body } = await post(raw)
      expect([String(raw).slice(0, 40), status, body.code]).toEqual([
        String(raw).slice(0, 40),
        400,
        'invalid_input',
      ])
    }
  })

  test('may have 1 MiB', async () => {
    const body = (size: number) => `{"name":"a","description":"${'x'.repeat(size - 29)}"}`
    expect(body(100)).toHaveLength(100)
    expect((await post(body(1024 * 1024))).status).toBe(400)
    expect((await post(body(1024 * 1024 + 1))).status).toBe(413)
  })

  test('that come slowly do not outlive the permission', async () => {
    const project = (await api.call('GET', '/projects/payments', { as: 'alice' })).body.id
    let send: (text: string) => void = () => {}
    const raw = new ReadableStream({
      start(controller) {
        send = (text) => {
          controller.enqueue(Buffer.from(text))
          controller.close()
        }
      },
    })
    const answer = api.call('PATCH', '/projects/payments', { as: 'alice', raw })
    await Bun.sleep(1_100)
    const alice = await api.accounts.users.find('alice')
    await api.accounts.members.remove(project, alice?.id ?? 0)
    send('{"public":true}')
    expect((await answer).status).toBe(404)
  })
})

describe('who asks', () => {
  test('wrong credentials are refused everywhere, with the challenge', async () => {
    for (const as of [`Basic ${btoa('alice:Wrong-1')}`, 'Bearer ept_x', 'Bearer x', 'Digest x']) {
      const { status, headers, body } = await api.call('GET', '/projects', { as })
      expect([as, status, headers.get('www-authenticate')]).toEqual([
        as,
        401,
        'Basic realm="entrepot"',
      ])
      expect(body).toMatchObject({ code: 'unauthenticated', requestId: 'request-1' })
    }
  })

  test('a token of the registry is not for here, and cookies are not looked at', async () => {
    const { authenticator, registryTokens } = api.accounts
    const principal = await authenticator.signIn('alice', PASSWORD, ADDRESS)
    const { token } = await registryTokens.issue(principal, [], SERVICE)
    await api.expect(401, 'GET', '/me', { as: `Bearer ${token}` })
    await api.expect(401, 'GET', '/me', { headers: { cookie: `session=${token}; user=alice` } })
  })

  test('refusals come before the body is looked at', async () => {
    const raw = '{"evil":'
    await api.expect(401, 'PATCH', '/projects/payments', { raw })
    await api.expect(401, 'POST', '/users', { raw })
    await api.expect(403, 'POST', '/users', { as: 'alice', raw })
  })
})

test('failures of ours say nothing of the inside', async () => {
  await api.accounts.db.query.schema.dropTable('job').execute()
  const { body, text } = await api.expect(500, 'GET', '/jobs', { as: 'root' })
  expect(body.code).toBe('internal')
  expect(text).not.toContain('job')
  expect(body.detail).toContain('request-1')
  // The log is written at the end of the tick.
  await Bun.sleep(1)
  expect(api.failures.splice(0)).toEqual([expect.stringContaining('request failed')])
})

test('problems carry what the error asks for', async () => {
  const context = { method: 'GET', requestId: 'r' } as Parameters<typeof problemResponse>[1]
  const error = new AppError('rate_limited', 'wait', { retryAfter: 7, headers: { 'x-a': 'b' } })
  const response = problemResponse(error, context)
  expect([
    response.status,
    response.headers.get('retry-after'),
    response.headers.get('x-a'),
  ]).toEqual([429, '7', 'b'])
  expect(await response.json()).toEqual({
    type: 'urn:entrepot:problem:rate_limited',
    title: 'Too many requests',
    status: 429,
    detail: 'wait',
    code: 'rate_limited',
    requestId: 'r',
  })
})
