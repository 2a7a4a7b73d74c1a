import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { tcr, tcrEnterprise } from './tcr.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { startTencent, type TencentCloud } from './test-cloud-tencent.ts'
import { failureOf, listAll } from './test-listing.ts'

const keys = { accessKey: 'AKIDexampleexample', secretKey: 'Gu5t9xGARNpq86cd98joQYCN3' }
const instance = { name: 'team', id: 'tcr-dg284imq', region: 'ap-shanghai' }
const address = 'https://team.tencentcloudcr.com'
let cloud: TencentCloud | undefined
afterEach(() => cloud?.stop())

function start(): TencentCloud {
  cloud = startTencent({ ...keys, instance })
  return cloud
}

function contextFor(endpoint: object = {}, now?: () => number) {
  return contextOf(
    { provider: 'tcr-enterprise', address, ...keys, ...endpoint },
    { apis: { tcr: cloud?.url ?? '' }, ...(now ? { now } : {}) },
  )
}

describe('login', () => {
  test.each([
    ['tcr', tcr],
    ['tcr-enterprise', tcrEnterprise],
  ])('of an API key is a token for an hour, stored as %s', async (_name, provider) => {
    const { tokens } = start()
    const login = await provider.login(contextFor())
    expect(login?.username).toBe('100012345678')
    expect(login?.password).toBe(tokens[0])
    expect(Math.abs((login?.expiresAt ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000)
  })

  test('of a docker user asks nobody', async () => {
    const { seen } = start()
    const stored = { accessKey: '100012345678', secretKey: 'a password' }
    const login = await tcrEnterprise.login(contextFor(stored))
    expect(login).toEqual({ username: '100012345678', password: 'a password' })
    expect(seen).toEqual([])
  })

  test('of an API key to the personal edition is refused with what to store', async () => {
    start()
    const context = contextFor({ address: 'https://ccr.ccs.tencentyun.com' })
    const error = await failureOf(tcr.login(context))
    expect(isAppError(error, 'invalid_input')).toBe(true)
    expect(error.message).toContain('store the docker user and password')
  })

  test('the instance is looked up once', async () => {
    const { seen } = start()
    await tcrEnterprise.login(contextFor())
    await tcrEnterprise.login(contextFor())
    const actions = seen.map(({ headers }) => headers.get('x-tc-action'))
    expect(actions).toEqual(['DescribeInstances', 'CreateInstanceToken', 'CreateInstanceToken'])
  })
})

describe('refusals', () => {
  test('a wrong secret', async () => {
    start()
    const error = await failureOf(tcrEnterprise.login(contextFor({ secretKey: 'another one' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('AuthFailure.SignatureFailure')
    expect(error.message).not.toContain('another one')
  })

  test('an instance that the key does not see', async () => {
    start()
    const context = contextFor({ address: 'https://other.tencentcloudcr.com' })
    const error = await failureOf(tcrEnterprise.login(context))
    expect(isAppError(error, 'not_found')).toBe(true)
    expect(error.message).toContain('"other"')
  })

  test('a clock that is off', async () => {
    start()
    const context = contextFor({}, () => Date.now() + 3_600_000)
    const error = await failureOf(tcrEnterprise.login(context))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('the clock of this machine')
  })

  test('too many calls', async () => {
    start().throttled = 1
    const error = await failureOf(tcrEnterprise.login(contextFor()))
    expect(isAppError(error, 'rate_limited')).toBe(true)
    expect(await tcrEnterprise.login(contextFor())).toBeDefined()
  })
})

describe('listing', () => {
  test('goes through all pages', async () => {
    start().repositories = new Set(manyNames('team/app'))
    const { repositories, pages } = await listAll(tcrEnterprise, contextFor())
    expect(repositories).toEqual(manyNames('team/app'))
    expect(pages).toBe(3)
  })

  test('keeps to a namespace', async () => {
    start().repositories = new Set(['a/app', 'b/app', 'b/team/app'])
    const list = async (namespace: string) =>
      (await listAll(tcrEnterprise, contextFor(), namespace)).repositories
    expect(await list('b')).toEqual(['b/app', 'b/team/app'])
    expect(await list('b/team')).toEqual(['b/team/app'])
  })

  test('is refused to a docker user with what to store', async () => {
    start()
    const error = await failureOf(listAll(tcrEnterprise, contextFor({ accessKey: '1000' })))
    expect(isAppError(error, 'remote_error')).toBe(true)
    expect(error.message).toContain('API key')
  })
})

describe('before a push', () => {
  test('namespace and repository are made, once', async () => {
    const { namespaces, repositories } = start()
    // Filters are loose: neither of these is what is meant.
    namespaces.add('my-team')
    repositories.add('my-team/app2')
    for (let times = 0; times < 2; times += 1) {
      await tcrEnterprise.ensureRepository?.(contextFor(), 'team/app')
    }
    expect([...namespaces]).toEqual(['my-team', 'team'])
    expect([...repositories]).toEqual(['my-team/app2', 'team/app'])
  })

  test('two at once both succeed', async () => {
    const { repositories } = start()
    const both = [1, 2].map(() => tcrEnterprise.ensureRepository?.(contextFor(), 'team/app'))
    await Promise.all(both)
    expect([...repositories]).toEqual(['team/app'])
  })

  test('a name without a namespace is refused', async () => {
    start()
    const error = await failureOf(tcrEnterprise.ensureRepository?.(contextFor(), 'app'))
    expect(isAppError(error, 'invalid_input')).toBe(true)
  })
})
