import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { quay } from './quay.ts'
import { contextOf, manyNames, type Seen, startCloud, type TestCloud } from './test-cloud.ts'
import { failureOf, listAll } from './test-listing.ts'

const user = { accessKey: '$oauthtoken', secretKey: 'example-application-token' }
let cloud: TestCloud | undefined
let repositories: string[] = []
let isThrottled = false
afterEach(() => cloud?.stop())

/** Quay's API of repositories, with one organisation. */
function start(names: string[] = []): void {
  repositories = names
  isThrottled = false
  cloud = startCloud((seen) => {
    if (seen.headers.get('authorization') !== `Bearer ${user.secretKey}`) {
      return refuse(401, 'Invalid bearer token format')
    }
    if (isThrottled) return refuse(429, 'Too many requests')
    if (seen.path === '/api/v1/repository')
      return seen.method === 'POST' ? create(seen) : list(seen)
    const name = /^\/api\/v1\/repository\/(.+)$/.exec(seen.path)?.[1] ?? ''
    return repositories.includes(name) ? Response.json({ name }) : refuse(404, 'Not Found')
  })
}

function list({ query }: Seen): Response {
  if (query.get('namespace') !== 'team') return refuse(400, 'namespace')
  const start = Number(query.get('next_page') ?? 0)
  const shown = repositories.slice(start, start + 100).map((full) => ({
    namespace: 'team',
    name: full.slice('team/'.length),
  }))
  const more = start + 100 < repositories.length ? { next_page: `${start + 100}` } : {}
  return Response.json({ repositories: shown, ...more })
}

function create({ body }: Seen): Response {
  const { namespace, repository, visibility, repo_kind } = JSON.parse(body)
  if (namespace !== 'team') return refuse(403, 'Unauthorized')
  const name = `${namespace}/${repository}`
  if (visibility !== 'private' || repo_kind !== 'image' || repositories.includes(name)) {
    return refuse(400, 'Repository already exists')
  }
  repositories.push(name)
  return Response.json({ namespace, name: repository }, { status: 201 })
}

function refuse(status: number, detail: string): Response {
  return Response.json({ detail, error_message: detail, status }, { status })
}

function contextFor(endpoint: object = {}) {
  return contextOf(
    { provider: 'quay', address: 'https://quay.example.com', ...user, ...endpoint },
    { apis: { registry: cloud?.url ?? '' } },
  )
}

describe('listing', () => {
  test('with an application token goes through all pages', async () => {
    start(manyNames('team/app'))
    const all = { repositories: manyNames('team/app'), pages: 3 }
    expect(await listAll(quay, contextFor(), 'team')).toEqual(all)
    expect(await listAll(quay, contextFor({ namespace: 'team' }))).toEqual(all)
  })

  test('of a robot is left to the catalog', async () => {
    start()
    const robot = contextFor({ accessKey: 'team+ci' })
    expect(await quay.listRepositories?.(robot, { namespace: 'team' })).toBeUndefined()
  })

  test('tells a wrong token, a limit, and that it wants a namespace', async () => {
    start()
    const wrong = await failureOf(listAll(quay, contextFor({ secretKey: 'another one' }), 'team'))
    expect(isAppError(wrong, 'remote_denied')).toBe(true)
    expect(wrong.message).not.toContain('another one')
    const nowhere = await failureOf(listAll(quay, contextFor()))
    expect(isAppError(nowhere, 'invalid_input')).toBe(true)
    isThrottled = true
    const limited = await failureOf(listAll(quay, contextFor(), 'team'))
    expect(isAppError(limited, 'rate_limited')).toBe(true)
  })
})

describe('before a push', () => {
  test('the repository is made once, as a private one', async () => {
    start()
    for (let times = 0; times < 2; times += 1) {
      await quay.ensureRepository?.(contextFor(), 'team/tools/app')
    }
    await Promise.all([1, 2].map(() => quay.ensureRepository?.(contextFor(), 'team/other')))
    expect(repositories).toEqual(['team/tools/app', 'team/other'])
  })

  test('an organisation that is not there is told', async () => {
    start()
    const error = await failureOf(quay.ensureRepository?.(contextFor(), 'nobody/app'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('create the organisation "nobody"')
  })
})
