import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { swr } from './swr.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { type HuaweiCloud, startHuawei } from './test-cloud-huawei.ts'
import { failureOf, listAll } from './test-listing.ts'

const keys = { accessKey: 'AKEXAMPLE', secretKey: 'SKEXAMPLE' }
const address = 'https://swr.cn-north-4.myhuaweicloud.com'
let cloud: HuaweiCloud | undefined
afterEach(() => cloud?.stop())

function start(): HuaweiCloud {
  cloud = startHuawei(keys)
  return cloud
}

function contextFor(endpoint: object = {}, now?: () => number) {
  return contextOf(
    { provider: 'swr', address, ...keys, ...endpoint },
    { apis: { swr: cloud?.url ?? '' }, ...(now ? { now } : {}) },
  )
}

describe('login', () => {
  const password = '0e88cbb99273df9955697b92044912a5883c7ea4463f1cae99013c9478dba7c0'

  test.each([
    [address, undefined, 'cn-north-4'],
    ['http://swr.cn-east-3.myhuaweicloud.com', '', 'cn-east-3'],
    ['https://swr.eu-west-101.myhuaweicloud.eu', undefined, 'eu-west-101'],
    ['https://images.example.com', 'my-region', 'my-region'],
    [address, 'cn-south-1', 'cn-south-1'],
  ])('to %s with the region %p', async (address, region, expected) => {
    const login = await swr.login(contextFor({ address, region }))
    expect(login).toEqual({ username: `${expected}@AKEXAMPLE`, password })
  })

  test('without a region in sight is refused', async () => {
    const error = await failureOf(swr.login(contextFor({ address: 'https://images.example.com' })))
    expect(isAppError(error, 'invalid_input') && error.details.field).toBe('region')
  })

  test('of a copied command or an enterprise instance is taken as it is', async () => {
    const copied = { accessKey: 'cn-north-4@AKEXAMPLE', secretKey: password }
    expect(await swr.login(contextFor(copied))).toEqual({ username: copied.accessKey, password })
    const instance = {
      address: 'https://team-abc.swr-pro.cn-north-4.myhuaweicloud.com',
      accessKey: 'somebody',
      secretKey: 'a password',
    }
    const login = await swr.login(contextFor(instance))
    expect(login).toEqual({ username: 'somebody', password: 'a password' })
  })

  test('without keys is anonymous', async () => {
    expect(await swr.login(contextFor({ accessKey: '', secretKey: '' }))).toBeUndefined()
  })
})

describe('refusals', () => {
  test('a wrong secret', async () => {
    start()
    const error = await failureOf(listAll(swr, contextFor({ secretKey: 'another one' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('APIG.0301')
    expect(error.message).toContain('Huawei SWR at swr.cn-north-4.myhuaweicloud.com')
    expect(error.message).not.toContain('another one')
  })

  test('a clock that is off', async () => {
    start()
    const context = contextFor({}, () => Date.now() - 3_600_000)
    const error = await failureOf(listAll(swr, context))
    expect(error.message).toContain('the clock of this machine')
  })

  test('too many calls, with the time to wait', async () => {
    start().throttled = 1
    const error = await failureOf(listAll(swr, contextFor()))
    expect(isAppError(error, 'rate_limited') && error.details.retryAfter).toBe(7)
    expect((await listAll(swr, contextFor())).pages).toBe(1)
  })
})

describe('listing', () => {
  test('goes through all pages', async () => {
    const names = manyNames('team/app', 2100)
    start().repositories = new Set(names)
    expect(await listAll(swr, contextFor())).toEqual({ repositories: names, pages: 3 })
  })

  test('keeps to an organisation, and to a part of it', async () => {
    start().repositories = new Set(['a/app', 'b/app', 'b/team/app'])
    const list = async (namespace: string) =>
      (await listAll(swr, contextFor(), namespace)).repositories
    expect(await list('b')).toEqual(['b/app', 'b/team/app'])
    expect(await list('b/team')).toEqual(['b/team/app'])
  })

  test('is refused to a docker login with what to store', async () => {
    const error = await failureOf(listAll(swr, contextFor({ accessKey: 'cn-north-4@AK' })))
    expect(isAppError(error, 'remote_error')).toBe(true)
  })
})

describe('before a push', () => {
  test('the organisation is made once', async () => {
    const { organisations, seen } = start()
    organisations.add('my-team')
    for (let times = 0; times < 2; times += 1) {
      await swr.ensureRepository?.(contextFor(), 'team/app')
    }
    expect([...organisations]).toEqual(['my-team', 'team'])
    expect(seen.length).toBe(3)
  })

  test('two at once both succeed', async () => {
    const { organisations } = start()
    await Promise.all([1, 2].map(() => swr.ensureRepository?.(contextFor(), 'team/app')))
    expect([...organisations]).toEqual(['team'])
  })

  test('a name that another account has is said to be so', async () => {
    start().taken.add('team')
    const error = await failureOf(swr.ensureRepository?.(contextFor(), 'team/app'))
    expect(isAppError(error, 'remote_error')).toBe(true)
    expect(error.message).toContain('belongs to another account')
  })

  test('who may not look leaves it to the push, but a wrong key is told', async () => {
    start().isBlind = true
    await swr.ensureRepository?.(contextFor(), 'team/app')
    const wrong = contextFor({ secretKey: 'another one' })
    const error = await failureOf(swr.ensureRepository?.(wrong, 'team/app'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
  })
})
