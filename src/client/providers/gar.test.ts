import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { gar } from './gar.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { type GoogleCloud, startGoogle } from './test-cloud-google.ts'
import { failureOf, listAll } from './test-listing.ts'

const address = 'https://europe-west1-docker.pkg.dev'
let cloud: GoogleCloud | undefined
let time = Date.now()
afterEach(() => cloud?.stop())

function start(): GoogleCloud {
  time = Date.now()
  cloud = startGoogle({ now: () => time })
  return cloud
}

function contextFor(endpoint: object = {}, now: () => number = () => time) {
  const url = cloud?.url ?? ''
  const keys = { accessKey: '_json_key', secretKey: cloud?.key ?? '' }
  return contextOf(
    { provider: 'gar', address, ...keys, ...endpoint },
    { apis: { 'google-oauth': `${url}/token`, 'google-artifacts': url }, now },
  )
}

describe('login', () => {
  test('exchanges a JSON key, also in base64, for a token of an hour', async () => {
    const { key } = start()
    const base64 = Buffer.from(key).toString('base64')
    const forms = [
      { accessKey: '_json_key', secretKey: key },
      { accessKey: '_json_key_base64', secretKey: base64 },
      { accessKey: '_json_key', secretKey: `${base64}\n` },
    ]
    for (const form of forms) {
      const login = await gar.login(contextFor(form))
      expect(login?.username).toBe('oauth2accesstoken')
      expect(login?.password).toStartWith('ya29.')
      expect(login?.expiresAt).toBe(time + 3_600_000)
    }
  })

  test('asks again only when the token is about to end', async () => {
    const { seen } = start()
    const first = await gar.login(contextFor())
    time += 3_200_000
    expect(await gar.login(contextFor())).toEqual(first)
    time += 50_000
    expect((await gar.login(contextFor()))?.password).not.toBe(first?.password)
    expect(seen.length).toBe(2)
  })

  test('takes an access token as it is, and nothing as nobody', async () => {
    start()
    const token = { accessKey: 'oauth2accesstoken', secretKey: 'ya29.stored' }
    expect(await gar.login(contextFor(token))).toEqual({
      username: 'oauth2accesstoken',
      password: 'ya29.stored',
    })
    expect(await gar.login(contextFor({ accessKey: '', secretKey: '' }))).toBeUndefined()
  })

  test('refuses what is no key, without repeating it', async () => {
    start()
    const error = await failureOf(gar.login(contextFor({ secretKey: '{"type":"nonsense"}' })))
    expect(isAppError(error, 'invalid_input') && error.details.field).toBe('secret_key')
    const broken = JSON.stringify({
      type: 'service_account',
      client_email: 'a@b',
      private_key: '-----BEGIN PRIVATE KEY-----\nZmFrZQ==\n-----END PRIVATE KEY-----',
    })
    const unreadable = await failureOf(gar.login(contextFor({ secretKey: broken })))
    expect(unreadable.message).toContain('cannot be read')
    expect(JSON.stringify([unreadable.message, `${unreadable.cause}`])).not.toContain('ZmFrZQ')
  })

  test('says what to do when the key was deleted or the clock is off', async () => {
    start().isKeyDeleted = true
    const deleted = await failureOf(gar.login(contextFor()))
    expect(isAppError(deleted, 'remote_denied')).toBe(true)
    expect(deleted.message).toContain('Invalid JWT Signature')
    start()
    const late = await failureOf(gar.login(contextFor({}, () => time - 3_600_000)))
    expect(isAppError(late, 'remote_denied')).toBe(true)
    expect(late.message).toContain('the clock of this machine')
  })
})

describe('listing', () => {
  const fill = ({ repositories }: GoogleCloud) => {
    repositories.set('apps', { format: 'DOCKER', images: manyNames('web/') })
    repositories.set('empty', { format: 'DOCKER', images: [] })
    repositories.set('python', { format: 'PYTHON', images: ['flask'] })
    repositories.set('tools', { format: 'DOCKER', images: ['lint'] })
  }
  const all = [
    ...manyNames('web/').map((name) => `my-project/apps/${name}`),
    'my-project/tools/lint',
  ]

  test('walks the repositories of the project, page by page', async () => {
    const started = start()
    fill(started)
    started.pageSize = 100
    expect(await listAll(gar, contextFor())).toEqual({ repositories: all, pages: 5 })
    // Also where the list of repositories has pages itself.
    started.pageSize = 2
    expect((await listAll(gar, contextFor(), 'my-project/tools')).repositories).toEqual([
      'my-project/tools/lint',
    ])
    started.repositories.set('apps', { format: 'DOCKER', images: ['a', 'b', 'c'] })
    expect((await listAll(gar, contextFor({ namespace: 'my-project' }))).repositories).toEqual([
      'my-project/apps/a',
      'my-project/apps/b',
      'my-project/apps/c',
      'my-project/tools/lint',
    ])
  })

  test('of a former gcr.io host has no repository in the names', async () => {
    start().repositories.set('gcr.io', { format: 'DOCKER', images: ['web', 'team/web'] })
    const context = contextFor({ address: 'https://gcr.io' })
    const { repositories } = await listAll(gar, context, 'my-project')
    expect(repositories).toEqual(['my-project/web', 'my-project/team/web'])
    await gar.ensureRepository?.(context, 'my-project/other')
    expect(cloud?.seen.some(({ method, path }) => method === 'POST' && path !== '/token')).toBe(
      false,
    )
  })

  test('asks for the project that it cannot know', async () => {
    start()
    const token = { accessKey: 'oauth2accesstoken', secretKey: 'ya29.stored' }
    const error = await failureOf(listAll(gar, contextFor(token)))
    expect(isAppError(error, 'invalid_input') && error.details.field).toBe('namespace')
  })

  test('gets a new token for one that ended before its time, and tells a stored one', async () => {
    const started = start()
    fill(started)
    await listAll(gar, contextFor())
    started.forgetTokens()
    expect((await listAll(gar, contextFor())).repositories).toEqual(all)
    const token = { accessKey: 'oauth2accesstoken', secretKey: 'ya29.stored' }
    const ended = await failureOf(listAll(gar, contextFor(token), 'my-project'))
    expect(isAppError(ended, 'remote_denied')).toBe(true)
    expect(ended.message).not.toContain('ya29.stored')
  })

  test('tells a quota that is used up', async () => {
    start().throttled = 1
    const quota = await failureOf(listAll(gar, contextFor()))
    expect(isAppError(quota, 'rate_limited')).toBe(true)
    expect(quota.message).toContain('Quota exceeded')
  })

  test('of another project is refused', async () => {
    start()
    const error = await failureOf(listAll(gar, contextFor(), 'their-project/apps'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
  })
})

describe('before a push', () => {
  test('the repository is made, and waited for', async () => {
    const started = start()
    started.creationTakes = 2
    await gar.ensureRepository?.(contextFor(), 'my-project/apps/team/web')
    expect(started.repositories.get('apps')?.format).toBe('DOCKER')
    const creations = () =>
      started.seen.filter(({ path, method }) => method === 'POST' && path !== '/token')
    expect(creations().length).toBe(1)
    await gar.ensureRepository?.(contextFor(), 'my-project/apps/other')
    expect(creations().length).toBe(1)
  })

  test('a project that the key may not see is left to the push', async () => {
    start()
    await gar.ensureRepository?.(contextFor(), 'their-project/apps/web')
  })

  test('a name of two parts is refused', async () => {
    start()
    const error = await failureOf(gar.ensureRepository?.(contextFor(), 'my-project/apps'))
    expect(isAppError(error, 'name_invalid')).toBe(true)
  })
})
