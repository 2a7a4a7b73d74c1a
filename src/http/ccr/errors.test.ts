import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { ErrorCode } from '../../lib/errors.ts'
import { basic } from '../test-server.ts'
import { wantsEnglish } from './envelope.ts'
import { CCR_ERRORS, CCR_TEXTS } from './errors.ts'
import { startTestCcr, type TestCcr } from './test-ccr.ts'

setDefaultTimeout(60_000)

/* Section 1.15 of the document, and what an answer has that is no success. */

let ccr: TestCcr
beforeAll(async () => {
  ccr = await startTestCcr()
  await ccr.accounts.users.create({ name: 'alice', password: 'Correct-horse-1' })
  await ccr.ok('POST', '/projects', { name: 'hidden' })
})
afterAll(() => ccr.stop())

/** As printed. */
const PRINTED: [number, string, string][] = [
  [500, 'CCR.CodeInternalError', '内部错误'],
  [400, 'CCR.CodeParamError', '参数错误'],
  [404, 'CCR.CodeErrNotExists', '资源不存在'],
  [409, 'CCR.CodeErrAlreadyExists', '资源已存在'],
  [403, 'CCR.CodeForbidOperate', '资源禁止操作'],
  [401, 'CCR.RespAuthFailed', '认证失败'],
  [403, 'CCR.RespPermissionDenied', '权限不足'],
]
/** Statuses that the document has no word for, and that programs between us act on. */
const KEPT: Partial<Record<ErrorCode, number>> = {
  method_unsupported: 405,
  rate_limited: 429,
  storage_full: 507,
  read_only: 503,
  unavailable: 503,
}

describe('the table', () => {
  test('has the printed codes with their texts', () => {
    const texts = Object.entries(CCR_TEXTS).map(([code, { zh }]) => [code, zh])
    expect(texts.sort()).toEqual(PRINTED.map(([, code, text]) => [code, text]).sort())
  })

  test('answers with the printed status, but for those that are kept', () => {
    const printed = new Map(PRINTED.map(([status, code]) => [code, status]))
    for (const [error, [status, code]] of Object.entries(CCR_ERRORS)) {
      const expected = KEPT[error as ErrorCode] ?? printed.get(code)
      expect<unknown>([error, status]).toEqual([error, expected])
    }
  })
})

describe('a failure', () => {
  test('has the printed text, the detail, and the id of the request', async () => {
    const { status, header, body } = await ccr.call('DELETE', '/projects/none')
    expect(status).toBe(404)
    expect<object>(body).toEqual({
      code: 'CCR.CodeErrNotExists',
      message: '资源不存在: project "none" does not exist',
      requestId: header('x-request-id') ?? '',
    })
    expect(header('content-type')).toBe('application/json')
  })

  test('speaks English to who asks for it', async () => {
    const headers = { 'accept-language': 'en-GB,en;q=0.9' }
    const { body, header } = await ccr.call('DELETE', '/projects/none', { headers })
    expect(body.message).toBe('Not found: project "none" does not exist')
    expect(header('content-language')).toBe('en')
    expect((await ccr.call('GET', '/projects', { headers })).body.message).toBe('Success')
  })

  test.each([
    [null, false],
    ['*', false],
    ['zh-CN,zh;q=0.9,en;q=0.8', false],
    ['en', true],
    ['EN-us', true],
    ['en;q=0.5, zh;q=0.4', true],
    ['en;q=0', false],
    ['fr, en;q=0.2', true],
    ['zh, en', false],
    ['en, zh', true],
  ])('takes "%s" for English: %p', (header, english) => {
    expect(wantsEnglish(header)).toBe(english)
  })

  test('is 401 without credentials, with wrong ones and with a token of the registry', async () => {
    const token = await ccr.connect().request('GET', '/token?service=entrepot', { as: ccr.admin })
    const bearer = `Bearer ${token.json<{ token: string }>().token}`
    for (const as of [null, basic('alice', 'wrong'), bearer, 'Digest x']) {
      const { status, body, header } = await ccr.call('GET', '/projects', { as })
      expect(`${status} ${body.code}`).toBe('401 CCR.RespAuthFailed')
      expect(body.message).toStartWith('认证失败: ')
      expect(header('www-authenticate')).toStartWith('Basic ')
    }
  })

  test('is 403 alike for a hidden project and for none', async () => {
    const answers = []
    for (const project of ['hidden', 'absent']) {
      const { status, body } = await ccr.call('GET', `/projects/${project}/repositories`, {
        as: 'alice',
      })
      expect(`${status} ${body.code}`).toBe('403 CCR.RespPermissionDenied')
      answers.push(body.message.replace(project, '…'))
    }
    expect(answers[0]).toBe(answers[1] ?? '')
  })

  test('is 404 in other instances and at other paths', async () => {
    for (const path of [
      '/api/ccr/v1.0/instances/other/projects',
      '/api/ccr/v1.0/instances/ccr-manager',
      '/api/ccr/v1.0/instances/ccr-manager/',
      '/api/ccr/v2.0/instances/ccr-manager/projects',
      '/api/ccr/v1.0/instances/ccr-manager/nothing',
      '/api/ccr/v1.0/instances/ccr-manager/projects/',
      '/api/ccr/',
    ]) {
      expect([path, await ccr.failure('GET', path)]).toEqual([path, '404 CCR.CodeErrNotExists'])
    }
  })

  test('of another method names those that there are', async () => {
    const { status, header } = await ccr.call('PUT', '/projects', { body: {} })
    expect([status, header('allow')?.split(', ').sort()]).toEqual([405, ['GET', 'POST']])
  })

  test('is refused quota where one may create projects but not set quotas', async () => {
    const create = (quota: number) =>
      ccr.call('POST', '/projects', { as: 'alice', body: { name: `of-alice${quota}`, quota } })
    expect((await create(1024)).body.code).toBe('CCR.RespPermissionDenied')
    expect((await create(-1)).status).toBe(200)
  })
})

describe('a body', () => {
  const create = (raw: string, headers = {}) => ccr.call('POST', '/projects', { raw, headers })

  test.each([
    ['as printed, with a stray comma', '{"name": "test01" ,}'],
    ['no JSON', 'name=test01'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['a name twice', '{"name":"test01","name":"test02"}'],
    ['no name', '{}'],
    ['a number for a name', '{"name":1}'],
    ['an empty name', '{"name":""}'],
    ['an upper-case name', '{"name":"Test"}'],
    ['a reserved name', '{"name":"api"}'],
    ['a text for a flag', '{"name":"test01","isPublic":"true"}'],
    ['a text for a quota', '{"name":"test01","quota":"1"}'],
    ['a fraction', '{"name":"test01","quota":1.5}'],
    ['a quota of nothing', '{"name":"test01","quota":0}'],
    ['a quota below -1', '{"name":"test01","quota":-2}'],
    ['a quota beyond counting', '{"name":"test01","quota":9007199254740992}'],
  ])('is refused with %s', async (_, raw) => {
    const { status, body } = await create(raw)
    expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
    expect(body.message).toStartWith('参数错误: ')
  })

  test('is told which parameter, which value and which rule', async () => {
    const { body } = await create('{"name":"Test","quota":-2}')
    expect(body.message).toBe(
      '参数错误: name is "Test": it must be 1 to 255 lower-case letters and digits, with single ' +
        '".", "_" or "-" between them; quota is -2: it must be -1 (no limit) or a whole number of ' +
        'bytes from 1 to 9007199254740991',
    )
    expect((await create('{}')).body.message).toStartWith('参数错误: name is missing: it must be')
    expect((await create('{"name":"api"}')).body.message).toContain('name')
  })

  test('is taken with unknown fields, nulls, and any or no Content-Type', async () => {
    const types = [{ 'content-type': '' }, { 'content-type': 'application/x-www-form-urlencoded' }]
    for (const [i, headers] of types.entries()) {
      const raw = `{"name":"typed${i}","isPublic":null,"quota":null,"more":[{}]}`
      expect((await create(raw, headers)).status).toBe(200)
    }
    const bare = await ccr
      .connect()
      .request('POST', '/api/ccr/v1.0/instances/ccr-manager/projects', {
        as: ccr.admin,
        body: '{"name":"untyped"}',
      })
    expect(bare.status).toBe(200)
  })

  test.each(['a', 'a'.repeat(255), 'a.b_c-d', '0'])('makes a project %p', async (name) => {
    expect((await create(JSON.stringify({ name }))).status).toBe(200)
  })

  test.each(['a'.repeat(256), 'a..b', '-a', 'a/b', 'ü'])('makes no project %p', async (name) => {
    expect((await create(JSON.stringify({ name }))).status).toBe(400)
  })

  test('is at most 64 KiB', async () => {
    const { status, body } = await create(
      JSON.stringify({ name: 'large', more: 'x'.repeat(65_536) }),
    )
    expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
  })

  test.each([1, 9_007_199_254_740_991])('takes a quota of %d', async (quota) => {
    expect((await create(JSON.stringify({ name: `q${quota}`, quota }))).status).toBe(200)
  })
})

test('HEAD answers like GET, without the body', async () => {
  const { status, header } = await ccr.call('HEAD', '/projects?pageNo=1')
  expect(status).toBe(200)
  expect(Number(header('content-length'))).toBeGreaterThan(50)
})

test('changes are in the audit', async () => {
  await ccr.ok('POST', '/projects', { name: 'audited' })
  await ccr.ok('POST', '/projects/audited/repositories', { repositoryName: 'app' })
  await ccr.ok('DELETE', '/projects/audited/repositories/app')
  await ccr.ok('DELETE', '/projects/audited')
  await ccr.ok('POST', '/account/reset', { username: 'audrey', new_password: 'Admin1234' })
  await ccr.ok('POST', '/account/reset', { username: 'audrey', new_password: 'Admin12345' })
  const rows = await ccr.db.query
    .selectFrom('audit')
    .select(['action', 'resource', 'account_name', 'request_id'])
    .where('resource', 'in', ['audited', 'audited/app', 'audrey'])
    .orderBy('id')
    .execute()
  expect(rows.map(({ action, resource }) => `${action} ${resource}`)).toEqual([
    'project.create audited',
    'repository.create audited/app',
    'repository.delete audited/app',
    'project.delete audited',
    'user.create audrey',
    'user.password audrey',
  ])
  expect(new Set(rows.map((row) => row.account_name))).toEqual(new Set(['admin']))
  expect(rows.every((row) => row.request_id.length === 16)).toBe(true)
})
