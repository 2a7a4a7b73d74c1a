import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { dockerhub } from './dockerhub.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { type HubCloud, startHub } from './test-cloud-dockerhub.ts'
import { failureOf, listAll } from './test-listing.ts'

const user = { accessKey: 'somebody', secretKey: 'dckr_pat_example-secret' }
let cloud: HubCloud | undefined
let time = Date.now()
afterEach(() => cloud?.stop())

function start(): HubCloud {
  time = Date.now()
  cloud = startHub({ user: user.accessKey, secret: user.secretKey, now: () => time })
  const names = manyNames('app').map((name): [string, boolean] => [name, false])
  cloud.namespaces.set('somebody', new Map([...names, ['hidden', true]]))
  cloud.namespaces.set('team', new Map([['tool', false]]))
  return cloud
}

function contextFor(endpoint: object = {}) {
  return contextOf(
    { provider: 'dockerhub', address: 'https://docker.io', ...user, ...endpoint },
    { apis: { dockerhub: cloud?.url ?? '' }, now: () => time },
  )
}

describe('listing', () => {
  test('goes through all pages with one login, private ones too', async () => {
    const { seen } = start()
    const { repositories, pages } = await listAll(dockerhub, contextFor())
    const names = manyNames('app').map((name) => `somebody/${name}`)
    expect(repositories).toEqual([...names, 'somebody/hidden'])
    expect(pages).toBe(3)
    expect(seen.filter(({ path }) => path === '/v2/auth/token').length).toBe(1)
  })

  test('logs in again after the token has ended, also before its time', async () => {
    const { seen, forgetTokens } = start()
    const logins = () => seen.filter(({ path }) => path === '/v2/auth/token').length
    await listAll(dockerhub, contextFor())
    time += 9.6 * 60_000
    await listAll(dockerhub, contextFor())
    expect(logins()).toBe(2)
    forgetTokens()
    expect((await listAll(dockerhub, contextFor())).repositories).toContain('somebody/hidden')
    expect(logins()).toBe(3)
  })

  test('of an organisation that is stored or asked for', async () => {
    start()
    expect((await listAll(dockerhub, contextFor(), 'team')).repositories).toEqual(['team/tool'])
    const stored = contextFor({ namespace: 'team' })
    expect((await listAll(dockerhub, stored)).repositories).toEqual(['team/tool'])
  })

  test('is anonymous without keys, and then needs a namespace', async () => {
    start()
    const anonymous = contextFor({ accessKey: '', secretKey: '' })
    const { repositories } = await listAll(dockerhub, anonymous, 'somebody')
    expect(repositories.length).toBe(230)
    const error = await failureOf(listAll(dockerhub, anonymous))
    expect(isAppError(error, 'invalid_input') && error.details.field).toBe('namespace')
  })

  test('of another registry is left to its catalog', async () => {
    const mirror = contextFor({ address: 'https://mirror.example.com' })
    expect(await dockerhub.listRepositories?.(mirror, {})).toBeUndefined()
  })
})

describe('refusals', () => {
  test('a wrong token', async () => {
    start()
    const context = contextFor({ secretKey: 'dckr_pat_another-secret' })
    const error = await failureOf(listAll(dockerhub, context))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('Docker Hub refuses to log in')
    expect(error.message).not.toContain('dckr_pat')
    // Every attempt counts against the account.
    expect(cloud?.seen.length).toBe(1)
  })

  test('a namespace that does not exist', async () => {
    start()
    const error = await failureOf(listAll(dockerhub, contextFor(), 'nobody'))
    expect(isAppError(error, 'not_found')).toBe(true)
  })

  test('too many calls, until a time', async () => {
    start().throttledUntil = Math.floor(time / 1000) + 40
    const error = await failureOf(listAll(dockerhub, contextFor()))
    const wait = isAppError(error, 'rate_limited') ? error.details.retryAfter : undefined
    expect(wait).toBeOneOf([39, 40])
    time += 41_000
    expect((await listAll(dockerhub, contextFor())).pages).toBe(3)
  })
})
