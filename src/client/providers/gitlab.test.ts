import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { gitlab } from './gitlab.ts'
import {
  contextOf,
  manyNames,
  pageOf,
  type Seen,
  startCloud,
  type TestCloud,
} from './test-cloud.ts'
import { failureOf, listAll } from './test-listing.ts'

const user = { accessKey: 'somebody', secretKey: 'glpat-example-token' }
let cloud: TestCloud | undefined
let realm = ''
let isThrottled = false
afterEach(() => cloud?.stop())

/** GitLab with its registry: the challenge, and the API of projects, groups and repositories. */
function start(): void {
  isThrottled = false
  cloud = startCloud((seen) => {
    if (seen.path === '/v2/') {
      const challenge = `Bearer realm="${realm}",service="container_registry"`
      return new Response('', { status: 401, headers: { 'www-authenticate': challenge } })
    }
    if (seen.headers.get('private-token') !== user.secretKey) {
      return Response.json({ message: '401 Unauthorized' }, { status: 401 })
    }
    if (isThrottled) {
      return new Response('Retry later', { status: 429, headers: { 'retry-after': '9' } })
    }
    return answer(seen)
  })
  realm = `${cloud.url}/jwt/auth`
}

const projects = Array.from({ length: 45 }, (_, index) => ({
  id: index + 1,
  container_registry_access_level: index === 3 ? 'disabled' : 'enabled',
}))

function answer(seen: Seen): Response {
  const group = manyNames('team/app/').map((path) => ({ path }))
  const lists: Record<string, object[]> = {
    '/api/v4/groups/team/registry/repositories': group,
    '/api/v4/projects/team%2Fapp/registry/repositories': [{ path: 'team/app' }, ...group],
    '/api/v4/projects': projects,
  }
  const id = /^\/api\/v4\/projects\/(\d+)\/registry\/repositories$/.exec(seen.path)?.[1]
  if (id === '4') throw new Error('its registry is off')
  // A member who may not look.
  if (id === '5') return Response.json({ message: '403 Forbidden' }, { status: 403 })
  const found = id === undefined ? lists[seen.path] : [{ path: `p${id}/image` }]
  if (!found) return Response.json({ message: '404 Not Found' }, { status: 404 })
  const [page, size] = [Number(seen.query.get('page')), Number(seen.query.get('per_page'))]
  const more = page * size < found.length ? `${page + 1}` : ''
  return Response.json(pageOf(found, page, size), { headers: { 'x-next-page': more } })
}

function contextFor(endpoint: object = {}) {
  return contextOf(
    { provider: 'gitlab', address: 'https://gitlab.example.com', ...user, ...endpoint },
    { apis: { registry: cloud?.url ?? '' } },
  )
}

describe('listing', () => {
  test('of a group goes through all pages', async () => {
    start()
    const expected = { repositories: manyNames('team/app/'), pages: 3 }
    expect(await listAll(gitlab, contextFor(), 'team')).toEqual(expected)
  })

  test('of a project has the image of the project itself', async () => {
    start()
    const { repositories } = await listAll(gitlab, contextFor({ namespace: 'team/app' }))
    expect(repositories).toEqual(['team/app', ...manyNames('team/app/')])
  })

  test('of nothing in particular is that of all projects, but those without a registry', async () => {
    start()
    const { repositories, pages } = await listAll(gitlab, contextFor())
    const expected = projects.map(({ id }) => `p${id}/image`)
    expect(repositories).toEqual(expected.filter((_, index) => index !== 3 && index !== 4))
    expect(pages).toBe(3)
  })
})

describe('refusals', () => {
  test('a wrong token, and none', async () => {
    start()
    const wrong = await failureOf(listAll(gitlab, contextFor({ secretKey: 'glpat-another' })))
    expect(isAppError(wrong, 'remote_denied')).toBe(true)
    expect(wrong.message).toContain('read_api')
    expect(wrong.message).not.toContain('glpat-another')
    const none = await failureOf(listAll(gitlab, contextFor({ accessKey: '', secretKey: '' })))
    expect(isAppError(none, 'remote_error')).toBe(true)
  })

  test('too many calls', async () => {
    start()
    isThrottled = true
    const error = await failureOf(listAll(gitlab, contextFor(), 'team'))
    expect(isAppError(error, 'rate_limited') && error.details.retryAfter).toBe(9)
  })

  test('a registry that names the API of a stranger gets no token sent there', async () => {
    start()
    const stranger = startCloud(() => Response.json([]))
    try {
      realm = `http://localhost:${new URL(stranger.url).port}/jwt/auth`
      const error = await failureOf(listAll(gitlab, contextFor(), 'team'))
      expect(isAppError(error, 'remote_error') && error.details.problem).toBe('realm')
      expect(stranger.seen).toEqual([])
    } finally {
      await stranger.stop()
    }
  })
})
