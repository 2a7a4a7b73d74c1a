import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { signRequest } from '../../lib/huawei-signature.ts'
import { BEHIND_PROXY } from '../test-identities.ts'
import { PASSWORD } from '../test-server.ts'
import {
  BASE,
  HARBOR,
  type HssCall,
  type SigningKey,
  startTestHss,
  type TestHss,
} from './test-hss.ts'

setDefaultTimeout(60_000)

let hss: TestHss
let key: SigningKey
let scanner: number
let projectId: string
beforeAll(async () => {
  hss = await startTestHss({ ...BEHIND_PROXY, ENTREPOT_WORKERS: '2' })
  scanner = (await hss.accounts.users.find('scanner'))?.id ?? 0
  key = await hss.accounts.accessKeys.create(scanner, { name: 'sdk' })
  projectId = String((await hss.registry.projects.get('payments'))?.id).padStart(32, '0')
})
afterAll(() => hss.stop())

/** The body as a program for Keystone sends it. */
const login = (name: string, password: string, scope?: object) => ({
  auth: {
    identity: {
      methods: ['password'],
      password: { user: { name, password, domain: { name: 'anything' } } },
    },
    ...(scope ? { scope } : {}),
  },
})

const tokens = '/v3/auth/tokens'
const signIn = (name: string, password: string, scope?: object, headers = {}) =>
  hss.call('POST', tokens, { as: null, body: login(name, password, scope), headers })

async function tokenOf(scope?: object): Promise<string> {
  const answer = await signIn('scanner', PASSWORD, scope)
  expect(answer.status).toBe(201)
  return answer.header('x-subject-token') ?? ''
}

let elsewhere = 0
const fromElsewhere = () => ({ 'x-forwarded-for': `10.1.0.${++elsewhere}` })

describe('without a valid proof', () => {
  const wrong: [string, HssCall][] = [
    ['nothing', { as: null }],
    ['an empty Basic', { as: 'Basic Og==' }],
    ['an unknown token', { token: 'MIIabc' }],
    ['a token of ours that is none', { token: `epp_${'x'.repeat(43)}` }],
    ['an API token that is none', { token: `ept_${'x'.repeat(43)}` }],
    ['a token of 32,768 characters', { token: 'x'.repeat(32_768) }],
    ['a longer one', { token: 'x'.repeat(32_769) }],
    ['an unknown access key', { sign: { accessKey: 'EPAK1', secretKey: 'x' } }],
    ['another algorithm', { as: 'SDK-HMAC-SM3 Access=a, SignedHeaders=host, Signature=b' }],
    ['a derived key', { as: 'V11-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=b' }],
  ]
  test.each(wrong)('%s: 401 as the gateway says it', async (_, asked) => {
    const { status, body, header } = await hss.call('GET', BASE, {
      ...asked,
      headers: fromElsewhere(),
    })
    expect(status).toBe(401)
    expect(body).toEqual({
      error_code: 'APIGW.0301',
      error_msg: expect.stringMatching(/^Incorrect IAM authentication information: ./),
      request_id: header('x-request-id') ?? '',
    } as never)
  })

  test('a path that is no API is 404 as the gateway says it, whoever asks', async () => {
    const paths = [
      '/v5',
      '/v5/payments',
      '/v5/payments/image/scanner-policies',
      '/v5/payments/image/registries/x/y',
      '/v5/payments/container/kubernetes/clusters',
      '/v5//image/registries',
    ]
    for (const path of paths) {
      const { status, body, header } = await hss.call('GET', path, { as: null })
      expect([path, status, body.error_code]).toEqual([path, 404, 'APIGW.0101'])
      expect(body.request_id).toBe(header('x-request-id') ?? 'none')
    }
    for (const method of ['PATCH', 'PUT']) {
      expect(await hss.outcome(method, BASE)).toBe('404 APIGW.0101')
    }
  })
})

describe('X-Auth-Token', () => {
  test('a password is changed into a token for a project', async () => {
    const answer = await signIn('scanner', PASSWORD, { project: { name: 'payments' } })
    expect(answer.status).toBe(201)
    const token = answer.header('x-subject-token') ?? ''
    const { token: told } = answer.body as unknown as { token: Record<string, string> }
    expect(told).toEqual({
      methods: ['password'],
      issued_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      expires_at: expect.any(String),
      user: { id: String(scanner), name: 'scanner', domain: { id: 'default', name: 'default' } },
      project: { id: projectId, name: 'payments', domain: { id: 'default', name: 'default' } },
    } as never)
    expect(Date.parse(told.expires_at ?? '') - Date.parse(told.issued_at ?? '')).toBe(86_400_000)
    for (const asked of ['payments', projectId]) {
      expect(await hss.outcome('GET', `/v5/${asked}/image/registries`, { token })).toBe('200')
    }
    expect(answer.text).not.toContain(token)
  })

  test('the scope is the project’s id or name; domains are ignored, and without one it is for all', async () => {
    const scopes = [
      { project: { id: projectId } },
      { project: { name: 'payments', domain: { id: 'x' } } },
      { domain: { name: 'anything' } },
      undefined,
    ]
    for (const scope of scopes) {
      expect(await hss.outcome('GET', BASE, { token: await tokenOf(scope) })).toBe('200')
    }
  })

  test('a token for one project is none for another', async () => {
    await hss.db.transaction((tx) =>
      hss.registry.projects.create(tx, { name: 'other', isPublic: false, createdBy: scanner }),
    )
    const token = await tokenOf({ project: { name: 'payments' } })
    expect(await hss.outcome('GET', '/v5/other/image/registries', { token })).toBe('400 HSS.0013')
    expect(await hss.outcome('GET', '/v5/other/image/registries')).toBe('200')
    const { body } = await hss.call('GET', '/v3/projects', { token })
    expect((body.projects as { name: string }[]).map(({ name }) => name)).toEqual(['payments'])
  })

  test('a project that one may not see is one that is not there', async () => {
    await hss.db.transaction((tx) =>
      hss.registry.projects.create(tx, { name: 'hidden', isPublic: false, createdBy: null }),
    )
    const answers = []
    for (const name of ['hidden', 'absent']) {
      const { status, body } = await signIn('scanner', PASSWORD, { project: { name } })
      answers.push(JSON.stringify([status, body]).replaceAll(name, '…'))
      const listed = await hss.call('GET', `/v3/projects?name=${name}`)
      expect(listed.body.projects).toEqual([])
      expect(await hss.outcome('GET', `/v5/${name}/image/registries`)).toBe('400 HSS.0011')
    }
    expect(answers[0]).toBe(answers[1] ?? '')
    expect(answers[0]).toStartWith('[401,')
  })

  test('a wrong password is 401 in the form of Keystone, and guesses are held back', async () => {
    const headers = fromElsewhere()
    const { status, body } = await signIn('scanner', 'wrong', undefined, headers)
    expect([status, body]).toEqual([
      401,
      { error: { code: 401, title: 'Unauthorized', message: expect.any(String) } } as never,
    ])
    let last = 0
    for (let i = 0; i < 11; i++) {
      const answer = await signIn('scanner', 'wrong', undefined, headers)
      last = answer.status
      if (last === 429) expect(Number(answer.header('retry-after'))).toBeGreaterThan(0)
    }
    expect(last).toBe(429)
  })

  test('what is no sign-in is 400', async () => {
    const good = login('scanner', PASSWORD)
    const wrong = [
      {},
      { auth: {} },
      { auth: { identity: { methods: ['token'], token: { id: 'x' } } } },
      { auth: { identity: { ...good.auth.identity, methods: ['password', 'totp'] } } },
      { auth: { ...good.auth, scope: { project: { name: '' } } } },
      { auth: { ...good.auth, scope: 'unscoped' } },
      { auth: { ...good.auth, scope: { project: 'payments' } } },
      { auth: { identity: { methods: ['password'], password: {} } } },
    ]
    for (const body of wrong) {
      const answer = await hss.call('POST', tokens, { as: null, body })
      expect([JSON.stringify(body), answer.status]).toEqual([JSON.stringify(body), 400])
      expect(answer.body.error).toMatchObject({ code: 400, title: 'Bad Request' })
      expect(answer.text).not.toContain('Invalid input')
    }
    expect((await hss.call('POST', tokens, { as: null, raw: '{' })).status).toBe(400)
    expect((await hss.call('GET', '/v3/users', { as: null })).status).toBe(404)
  })

  test('API tokens and secrets of robots work too', async () => {
    const { token } = await hss.accounts.apiTokens.create(scanner, { name: 'hss' })
    expect(await hss.outcome('GET', BASE, { token })).toBe('200')
    const project = Number(projectId)
    const { robot, secret } = await hss.accounts.robots.create(project, {
      name: 'hss',
      roles: [{ project, role: 'maintainer' }],
    })
    const answer = await signIn(robot.name, secret, { project: { id: projectId } })
    expect(answer.status).toBe(201)
    const robots = answer.header('x-subject-token') ?? ''
    expect(await hss.outcome('GET', BASE, { token: robots })).toBe('200')
  })

  test('a token is given back', async () => {
    const token = await tokenOf()
    const subject = { 'x-subject-token': token }
    const drop = (call: HssCall) => hss.call('DELETE', tokens, { ...call, headers: subject })
    await hss.accounts.users.create({ name: 'stranger', password: PASSWORD })
    expect((await drop({ as: 'stranger' })).status).toBe(404)
    expect((await drop({ as: null })).status).toBe(401)
    expect((await drop({ token })).status).toBe(204)
    expect(await hss.outcome('GET', BASE, { token })).toBe('401 APIGW.0301')
  })
})

describe('projects', () => {
  test('are found by name, with the id that paths take', async () => {
    const { status, body } = await hss.call('GET', '/v3/projects?name=payments', { sign: key })
    expect(status).toBe(200)
    const [project] = body.projects as Record<string, unknown>[]
    expect(project).toMatchObject({ id: projectId, name: 'payments', enabled: true })
    expect(await hss.outcome('GET', `/v5/${project?.id}/image/registries`)).toBe('200')
    expect((await hss.call('GET', '/v3/projects', { as: null })).status).toBe(401)
  })

  test('are named by id, name, padded id and alias; an alias comes before a name', async () => {
    const alias = '0f1e2d3c4b5a69788796a5b4c3d2e1f0'
    const { id } = (await hss.registry.projects.get('payments')) ?? { id: 0 }
    await hss.db.transaction((tx) => hss.registry.projects.update(tx, id, { alias }))
    for (const asked of ['payments', String(id), projectId, alias]) {
      expect([asked, await hss.outcome('GET', `/v5/${asked}/image/registries`)]).toEqual([
        asked,
        '200',
      ])
    }
    const { body } = await hss.call('GET', `/v3/projects?name=${alias}`)
    expect((body.projects as { id: string }[])[0]?.id).toBe(alias)
    await hss.db.transaction((tx) => hss.registry.projects.update(tx, id, { alias: null }))
  })

  test('X-Project-Id must name the project of the path', async () => {
    const ask = (id: string) => hss.outcome('GET', BASE, { headers: { 'x-project-id': id } })
    expect(await ask('payments')).toBe('200')
    expect(await ask(projectId)).toBe('200')
    expect(await ask('library')).toBe('400 HSS.0001')
    expect(await ask('absent')).toBe('400 HSS.0001')
  })
})

describe('signed requests', () => {
  const call = (method: string, path: string, body?: object) =>
    hss.outcome(method, path, { sign: key, ...(body ? { body } : {}) })

  test('add, list, change and delete', async () => {
    expect(await call('POST', `${BASE}?enterprise_project_id=0`, HARBOR)).toBe('200')
    const { body } = await hss.call(
      'GET',
      `${BASE}?limit=10&registry_name=${encodeURIComponent(HARBOR.registry_name)}`,
      {
        sign: key,
      },
    )
    const path = `${BASE}/${body.data_list[0]?.id}`
    // The Go SDK signs %20 and sends +.
    expect(await call('GET', `${BASE}?registry_name=team+harbor`)).toBe('200')
    expect(await call('PUT', path, { api_version: 'V1' })).toBe('200')
    expect(await call('DELETE', path)).toBe('200')
  })

  test('a change is not carried out twice, whichever worker is asked', async () => {
    const [first, second] = await hss.connectToEach()
    const body = JSON.stringify({ ...HARBOR, registry_name: 'replayed' })
    const url = new URL(BASE, `http://${hss.host}`)
    const now = Date.now()
    const headers = {
      'content-type': 'application/json',
      ...signRequest({ method: 'POST', url, body, ...key, now }),
    }
    const statuses = []
    for (const wire of [first, second, second]) {
      const answer = await wire?.request('POST', BASE, { headers, body })
      statuses.push(answer?.status)
    }
    expect(statuses).toEqual([200, 401, 401])
    const get = signRequest({ method: 'GET', url, ...key, now })
    for (const wire of [first, second]) {
      expect((await wire?.request('GET', BASE, { headers: get }))?.status).toBe(200)
    }
  })

  test('the host that is signed is the public one, which a trusted proxy tells', async () => {
    const url = new URL(BASE, 'https://registry.example.com')
    const sign = () => signRequest({ method: 'GET', url, ...key, now: Date.now() })
    const proxied = { ...sign(), 'x-forwarded-host': 'registry.example.com' }
    expect(await hss.outcome('GET', BASE, { as: null, headers: proxied })).toBe('200')
    expect(await hss.outcome('GET', BASE, { as: null, headers: sign() })).toBe('401 APIGW.0301')
    const other = { ...sign(), 'x-forwarded-host': 'other.example.com' }
    expect(await hss.outcome('GET', BASE, { as: null, headers: other })).toBe('401 APIGW.0301')
  })
})

test('a proxy that nobody trusts cannot choose the host that is signed', async () => {
  const open = await startTestHss({ ENTREPOT_PUBLIC_URL: 'https://public.example.com' })
  try {
    const user = await open.accounts.users.find('scanner')
    const own = await open.accounts.accessKeys.create(user?.id ?? 0, { name: 'sdk' })
    const outcome = (host: string) => {
      const url = new URL(BASE, `https://${host}`)
      const headers = {
        ...signRequest({ method: 'GET', url, ...own, now: Date.now() }),
        'x-forwarded-host': 'forwarded.example.com',
      }
      return open.outcome('GET', BASE, { as: null, headers })
    }
    expect(await outcome('forwarded.example.com')).toBe('401 APIGW.0301')
    expect(await outcome('public.example.com')).toBe('200')
    expect(await outcome(open.host)).toBe('200')
  } finally {
    await open.stop()
  }
})

test('texts are Chinese unless English is asked for', async () => {
  const ask = (language?: string) =>
    hss.call('GET', `${BASE}?limit=1`, {
      headers: language === undefined ? {} : { 'x-language': language },
    })
  for (const [language, text] of [
    [undefined, '参数不合法: limit must be a whole number from 10 to 200'],
    ['zh-cn', '参数不合法: limit must be a whole number from 10 to 200'],
    ['en-us', 'Invalid parameter: limit must be a whole number from 10 to 200'],
  ] as const) {
    const { body } = await ask(language)
    expect([language, body.error_msg]).toEqual([language, text])
  }
})
