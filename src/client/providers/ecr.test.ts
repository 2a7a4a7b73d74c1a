import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { ecr } from './ecr.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { type AwsCloud, startAws } from './test-cloud-aws.ts'
import { failureOf, listAll } from './test-listing.ts'

const keys = { accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfi' }
const address = 'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com'
let cloud: AwsCloud | undefined
afterEach(() => cloud?.stop())

function start(options: Partial<Parameters<typeof startAws>[0]> = {}): AwsCloud {
  cloud = startAws({ ...keys, region: 'eu-west-1', ...options })
  return cloud
}

function contextFor(endpoint: object = {}, now?: () => number) {
  const url = cloud?.url ?? ''
  const apis = { ecr: url, 'ecr-public': url }
  return contextOf(
    { provider: 'ecr', address, ...keys, ...endpoint },
    { apis, ...(now ? { now } : {}) },
  )
}

describe('login', () => {
  test('is a token for 12 hours, by a signed call', async () => {
    const { passwords } = start()
    const before = Date.now()
    const login = await ecr.login(contextFor())
    expect(login?.username).toBe('AWS')
    expect(login?.password).toBe(passwords[0])
    expect(Math.abs((login?.expiresAt ?? 0) - before - 12 * 3_600_000)).toBeLessThan(60_000)
  })

  test.each([
    ['https://123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', undefined, 'cn-north-1'],
    ['https://123456789012.dkr-ecr.us-east-2.on.aws', undefined, 'us-east-2'],
    ['https://123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com', undefined, 'us-gov-west-1'],
    ['https://images.example.com', 'ap-northeast-1', 'ap-northeast-1'],
    ['https://team.dkr.ecr.eu-west-1.amazonaws.com/ns', undefined, 'eu-west-1'],
  ])('of %s with the region %p is signed for %s', async (address, region, signed) => {
    start({ region: signed })
    expect((await ecr.login(contextFor({ address, region })))?.username).toBe('AWS')
  })

  test('is for the public registry in its one region, and anonymous without keys', async () => {
    const { passwords } = start({ region: 'us-east-1', isPublic: true })
    const publicly = { address: 'https://public.ecr.aws' }
    expect((await ecr.login(contextFor(publicly)))?.password).toBe(passwords[0])
    const anonymous = { ...publicly, accessKey: '', secretKey: '' }
    expect(await ecr.login(contextFor(anonymous))).toBeUndefined()
  })

  test('without keys or region is refused with the field that is missing', async () => {
    start()
    const noKeys = await failureOf(ecr.login(contextFor({ accessKey: '', secretKey: '' })))
    expect(isAppError(noKeys, 'invalid_input') && noKeys.details.field).toBe('access_key')
    const context = contextFor({ address: 'https://images.example.com' })
    const noRegion = await failureOf(ecr.login(context))
    expect(isAppError(noRegion, 'invalid_input') && noRegion.details.field).toBe('region')
    expect(cloud?.seen).toEqual([])
  })
})

describe('refusals', () => {
  test('a wrong secret', async () => {
    start()
    const error = await failureOf(ecr.login(contextFor({ secretKey: 'another secret' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('Amazon ECR at 123456789012.dkr.ecr.eu-west-1.amazonaws.com')
    expect(error.message).toContain('InvalidSignatureException')
    expect(error.message).not.toContain('another secret')
  })

  test('an unknown key', async () => {
    start()
    const error = await failureOf(ecr.login(contextFor({ accessKey: 'AKIAUNKNOWN' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('UnrecognizedClientException')
  })

  test('a session that is over', async () => {
    start().hasExpired = true
    const error = await failureOf(ecr.login(contextFor()))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('store those of an IAM user')
  })

  test('a clock that is off', async () => {
    start()
    const error = await failureOf(ecr.login(contextFor({}, () => Date.now() - 3_600_000)))
    expect(error.message).toContain('the clock of this machine')
  })

  test('too many calls', async () => {
    start().throttled = 1
    const error = await failureOf(ecr.login(contextFor()))
    expect(isAppError(error, 'rate_limited')).toBe(true)
    expect((await ecr.login(contextFor()))?.username).toBe('AWS')
  })
})

describe('listing', () => {
  test('goes through all pages', async () => {
    const started = start()
    started.pageSize = 100
    started.repositories = new Set(manyNames('team/app'))
    const { repositories, pages } = await listAll(ecr, contextFor())
    expect(repositories).toEqual(manyNames('team/app'))
    expect(pages).toBe(3)
  })

  test('keeps to a namespace', async () => {
    start().repositories = new Set(['team/app', 'team2/app', 'team'])
    expect((await listAll(ecr, contextFor(), 'team')).repositories).toEqual(['team/app'])
  })

  test('of the public registry has the alias in front', async () => {
    start({ region: 'us-east-1', isPublic: true }).repositories = new Set(['app'])
    const context = contextFor({ address: 'https://public.ecr.aws' })
    expect((await listAll(ecr, context)).repositories).toEqual(['alias/app'])
  })

  test('refuses the place of no page', async () => {
    start()
    const error = await failureOf(ecr.listRepositories?.(contextFor(), { next: 'x' }))
    expect(isAppError(error, 'invalid_input')).toBe(true)
  })
})

describe('before a push', () => {
  test('the repository is made once', async () => {
    const { repositories, seen } = start()
    await ecr.ensureRepository?.(contextFor(), 'team/app')
    expect([...repositories]).toEqual(['team/app'])
    const calls = seen.length
    await ecr.ensureRepository?.(contextFor(), 'team/app')
    expect(seen.length).toBe(calls + 1)
  })

  test('two at once both succeed', async () => {
    const { repositories } = start()
    const both = [1, 2].map(() => ecr.ensureRepository?.(contextFor(), 'team/app'))
    await Promise.all(both)
    expect([...repositories]).toEqual(['team/app'])
  })

  test('of the public registry it is named without the alias', async () => {
    const { repositories } = start({ region: 'us-east-1', isPublic: true })
    const context = contextFor({ address: 'https://public.ecr.aws' })
    await ecr.ensureRepository?.(context, 'alias/app')
    expect([...repositories]).toEqual(['app'])
  })

  test('keys that may not look leave it to the push, those that may not create are told', async () => {
    const { forbidden } = start()
    forbidden.add('CreateRepository')
    const error = await failureOf(ecr.ensureRepository?.(contextFor(), 'team/app'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('allow ecr:CreateRepository to this access key')
    forbidden.add('DescribeRepositories')
    await ecr.ensureRepository?.(contextFor(), 'team/app')
  })
})
