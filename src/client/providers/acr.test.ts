import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { acr, acrEnterprise } from './acr.ts'
import { contextOf, manyNames, startCloud } from './test-cloud.ts'
import { type AlibabaCloud, startAlibaba } from './test-cloud-alibaba.ts'
import { failureOf, listAll } from './test-listing.ts'

const keys = { accessKey: 'LTAI5tExampleExample', secretKey: 'hsCuRTexampleSecret' }
const instanceId = 'cri-kmsiwlxxdcvaduwb'
let cloud: AlibabaCloud | undefined
afterEach(() => cloud?.stop())

function contextFor(endpoint: object = {}, now?: () => number) {
  const url = cloud?.url ?? ''
  const address = 'https://team-registry.cn-hangzhou.cr.aliyuncs.com'
  return contextOf(
    { provider: 'acr', address, ...keys, ...endpoint },
    { apis: { acr: url, registry: url }, ...(now ? { now } : {}) },
  )
}

describe.each([
  ['the personal edition', acr, undefined],
  ['an enterprise instance', acrEnterprise, instanceId],
  // What was chosen does not matter: the registry says what it is.
  ['an enterprise instance that was stored as acr', acr, instanceId],
] as const)('%s', (_name, provider, instance) => {
  const start = () => {
    cloud = startAlibaba({ ...keys, ...(instance === undefined ? {} : { instanceId: instance }) })
    return cloud
  }

  test('gives a login of an hour for an AccessKey', async () => {
    const { passwords } = start()
    const login = await provider.login(contextFor())
    expect(login?.username).toBe('cr_temp_user')
    expect(login?.password).toBe(passwords[0])
    expect(Math.abs((login?.expiresAt ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000)
  })

  test('is asked nothing for a docker user', async () => {
    const { seen } = start()
    const stored = { accessKey: 'somebody@example', secretKey: 'a password' }
    const login = await provider.login(contextFor(stored))
    expect(login).toEqual({ username: 'somebody@example', password: 'a password' })
    expect(seen).toEqual([])
  })

  test('tells its challenge once', async () => {
    const { seen } = start()
    for (let times = 0; times < 3; times += 1) await provider.login(contextFor())
    expect(seen.filter(({ path }) => path === '/v2/').length).toBe(1)
  })

  test('refuses a wrong secret', async () => {
    start()
    const error = await failureOf(provider.login(contextFor({ secretKey: 'another one' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('SignatureDoesNotMatch')
    expect(error.message).toContain('Alibaba ACR at team-registry.cn-hangzhou.cr.aliyuncs.com')
    expect(error.message).not.toContain('another one')
  })

  test('refuses an unknown key, and a clock that is off', async () => {
    start()
    const unknown = await failureOf(provider.login(contextFor({ accessKey: 'LTAIunknown' })))
    expect(isAppError(unknown, 'remote_denied')).toBe(true)
    const late = await failureOf(provider.login(contextFor({}, () => Date.now() + 7_200_000)))
    expect(isAppError(late, 'remote_denied')).toBe(true)
    expect(late.message).toContain('the clock of this machine')
  })

  test('takes only so many calls', async () => {
    start().throttled = 1
    const error = await failureOf(provider.login(contextFor()))
    expect(isAppError(error, 'rate_limited')).toBe(true)
    expect(await provider.login(contextFor())).toBeDefined()
  })

  test('lists all pages, of a namespace too', async () => {
    start().repositories = new Set([...manyNames('team/app'), 'other/app'])
    const all = await listAll(provider, contextFor())
    expect(all.repositories).toEqual(['other/app', ...manyNames('team/app')])
    expect(all.pages).toBe(3)
    expect((await listAll(provider, contextFor(), 'other')).repositories).toEqual(['other/app'])
  })

  test('lists nothing for a docker user, and says what to store', async () => {
    start()
    const error = await failureOf(listAll(provider, contextFor({ accessKey: 'somebody' })))
    expect(isAppError(error, 'remote_error')).toBe(true)
    expect(error.message).toContain('AccessKey')
  })

  test('gets its namespace before a push, once', async () => {
    const { namespaces } = start()
    namespaces.set('my-team', true)
    for (let times = 0; times < 2; times += 1) {
      await provider.ensureRepository?.(contextFor(), 'team/app')
    }
    expect([...namespaces.keys()]).toEqual(['my-team', 'team'])
  })

  test('lets two make a namespace at once', async () => {
    const { namespaces } = start()
    const both = [1, 2].map(() => provider.ensureRepository?.(contextFor(), 'team/app'))
    await Promise.all(both)
    expect([...namespaces.keys()]).toEqual(['team'])
  })

  test('says who can help where the key may not create', async () => {
    start().isReader = true
    const error = await failureOf(provider.ensureRepository?.(contextFor(), 'team/app'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('cr:CreateNamespace')
  })

  test('has names of two parts', async () => {
    start()
    const error = await failureOf(provider.ensureRepository?.(contextFor(), 'team/app/web'))
    expect(isAppError(error, 'name_invalid')).toBe(true)
  })
})

test('a namespace without automatic repositories gets the repository', async () => {
  cloud = startAlibaba({ ...keys, instanceId })
  cloud.namespaces.set('team', false)
  for (let times = 0; times < 2; times += 1) {
    await acr.ensureRepository?.(contextFor(), 'team/app')
  }
  expect([...cloud.repositories]).toEqual(['team/app'])
})

test('a registry that is none of Alibaba gets no signed call', async () => {
  const other = startCloud(() => new Response('', { status: 200 }))
  try {
    const context = contextOf(
      { provider: 'acr', address: 'https://registry.example.com', ...keys },
      { apis: { registry: other.url, acr: other.url } },
    )
    const error = await failureOf(acr.login(context))
    expect(isAppError(error, 'invalid_input') && error.details.field).toBe('address')
    expect(other.seen.map(({ path }) => path)).toEqual(['/v2/'])
  } finally {
    await other.stop()
  }
})
