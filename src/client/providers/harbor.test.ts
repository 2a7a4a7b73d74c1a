import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { harbor } from './harbor.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { type HarborCloud, startHarbor } from './test-cloud-harbor.ts'
import { failureOf, listAll } from './test-listing.ts'

const user = { accessKey: 'robot$team+ci', secretKey: 'example-Secret' }
let cloud: HarborCloud | undefined
afterEach(() => cloud?.stop())

function start(): HarborCloud {
  cloud = startHarbor({ user: user.accessKey, secret: user.secretKey })
  return cloud
}

function contextFor(endpoint: object = {}) {
  return contextOf({ provider: 'harbor', address: cloud?.url ?? '', ...user, ...endpoint })
}

describe('listing', () => {
  test.each([
    ['of everything', false],
    ['project by project, where there is no list of everything', true],
  ])('%s goes through all pages', async (_name, isOld) => {
    const started = start()
    started.isOld = isOld
    started.projects.set('a', manyNames('a/app'))
    started.projects.set('b', [])
    started.projects.set('c', ['c/team/app'])
    const { repositories } = await listAll(harbor, contextFor())
    expect(repositories).toEqual([...manyNames('a/app'), 'c/team/app'])
  })

  test('of a project, also one whose name is a number, and of a part of it', async () => {
    const { projects } = start()
    projects.set('2024', manyNames('2024/app'))
    projects.set('b', ['b/app', 'b/team/app'])
    const list = async (namespace: string) => listAll(harbor, contextFor(), namespace)
    expect(await list('2024')).toEqual({ repositories: manyNames('2024/app'), pages: 3 })
    expect((await list('b/team')).repositories).toEqual(['b/team/app'])
  })
})

describe('refusals', () => {
  test('a wrong secret', async () => {
    start()
    const error = await failureOf(listAll(harbor, contextFor({ secretKey: 'another one' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain(`Harbor at ${new URL(cloud?.url ?? '').host}`)
    expect(error.message).not.toContain('another one')
  })

  test('a project that does not exist', async () => {
    start()
    const error = await failureOf(listAll(harbor, contextFor(), 'nothing'))
    expect(isAppError(error, 'not_found')).toBe(true)
  })

  test('too many calls', async () => {
    start().throttled = 1
    const error = await failureOf(listAll(harbor, contextFor()))
    expect(isAppError(error, 'rate_limited') && error.details.retryAfter).toBe(3)
  })
})

describe('before a push', () => {
  test('the project is made once, as a private one', async () => {
    const { projects, seen } = start()
    for (let times = 0; times < 2; times += 1) {
      await harbor.ensureRepository?.(contextFor(), 'team/app')
    }
    expect([...projects.keys()]).toEqual(['team'])
    expect(seen.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'HEAD'])
  })

  test('two at once both succeed', async () => {
    const { projects } = start()
    await Promise.all([1, 2].map(() => harbor.ensureRepository?.(contextFor(), 'team/app')))
    expect([...projects.keys()]).toEqual(['team'])
  })

  test('says whom to ask when the account may not', async () => {
    start().mayCreate = false
    const error = await failureOf(harbor.ensureRepository?.(contextFor(), 'team/app'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('ask an administrator of Harbor to create the project "team"')
  })
})
