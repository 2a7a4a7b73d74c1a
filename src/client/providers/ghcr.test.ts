import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { ghcr } from './ghcr.ts'
import { contextOf, manyNames, pageOf, startCloud, type TestCloud } from './test-cloud.ts'
import { failureOf, listAll } from './test-listing.ts'

const user = { accessKey: 'Somebody', secretKey: 'ghp_exampleexampleexample' }
const packages: Record<string, string[]> = {
  '/orgs/My-Team/packages': manyNames('app'),
  '/users/Somebody/packages': ['tools/lint'],
}
let cloud: TestCloud | undefined
let isLimited = false
afterEach(() => cloud?.stop())

/** GitHub's API of packages. */
function start(): void {
  isLimited = false
  cloud = startCloud(({ path, query, headers }) => {
    if (headers.get('authorization') !== `Bearer ${user.secretKey}`) {
      return Response.json({ message: 'Bad credentials' }, { status: 401 })
    }
    if (isLimited) {
      const message = 'API rate limit exceeded for user ID 1.'
      return Response.json({ message }, { status: 403, headers: { 'retry-after': '60' } })
    }
    const names = packages[path]
    if (!names || query.get('package_type') !== 'container') {
      return Response.json({ message: 'Not Found' }, { status: 404 })
    }
    const [page, size] = [Number(query.get('page')), Number(query.get('per_page'))]
    const login = path.split('/')[2]
    const shown = pageOf(names, page, size).map((name) => ({ name, owner: { login } }))
    const link =
      page * size < names.length ? `<https://api.github.com${path}?page=2>; rel="next"` : ''
    return Response.json(shown, { headers: { link } })
  })
}

function contextFor(endpoint: object = {}) {
  return contextOf(
    { provider: 'ghcr', address: 'https://ghcr.io', ...user, ...endpoint },
    { apis: { github: cloud?.url ?? '' } },
  )
}

test('lists an organisation page by page, in lower case as the registry has it', async () => {
  start()
  const expected = { repositories: manyNames('my-team/app'), pages: 3 }
  expect(await listAll(ghcr, contextFor(), 'My-Team')).toEqual(expected)
})

test('lists the user whose token it is', async () => {
  start()
  expect((await listAll(ghcr, contextFor())).repositories).toEqual(['somebody/tools/lint'])
})

describe('refusals', () => {
  test('a wrong token', async () => {
    start()
    const error = await failureOf(listAll(ghcr, contextFor({ secretKey: 'ghp_another' })))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('read:packages')
    expect(error.message).not.toContain('ghp_another')
  })

  test('no token, and an owner who is not there', async () => {
    start()
    const none = await failureOf(listAll(ghcr, contextFor({ accessKey: '', secretKey: '' })))
    expect(isAppError(none, 'remote_error')).toBe(true)
    const nobody = await failureOf(listAll(ghcr, contextFor(), 'nobody'))
    expect(isAppError(nobody, 'not_found')).toBe(true)
  })

  test('the limit of requests, which is a 403', async () => {
    start()
    isLimited = true
    const error = await failureOf(listAll(ghcr, contextFor()))
    expect(isAppError(error, 'rate_limited') && error.details.retryAfter).toBe(60)
  })
})
