import { pageOf, type Seen, startCloud, type TestCloud } from './test-cloud.ts'

export interface HarborCloud extends TestCloud {
  /** Project → its repositories, in full. */
  projects: Map<string, string[]>
  throttled: number
  /** Whether `/repositories` of the whole Harbor is there. */
  isOld: boolean
  /** Whether the account may create projects. */
  mayCreate: boolean
}

/** API v2.0 of Harbor. */
export function startHarbor(options: { user: string; secret: string }): HarborCloud {
  const expected = `Basic ${btoa(`${options.user}:${options.secret}`)}`
  const cloud: HarborCloud = Object.assign(startCloud(answer), {
    projects: new Map<string, string[]>(),
    throttled: 0,
    isOld: false,
    mayCreate: true,
  })
  return cloud

  function answer(seen: Seen): Response {
    if (seen.headers.get('authorization') !== expected) {
      return refuse(401, 'UNAUTHORIZED', 'unauthorized')
    }
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      return new Response('too many requests', { status: 429, headers: { 'retry-after': '3' } })
    }
    const path = seen.path.replace(/^\/api\/v2\.0/, '')
    if (seen.method === 'HEAD' && path === '/projects') {
      const isThere = cloud.projects.has(seen.query.get('project_name') ?? '')
      return new Response(null, { status: isThere ? 200 : 404 })
    }
    if (seen.method === 'POST' && path === '/projects') return create(seen)
    if (path === '/projects') {
      return list(
        seen,
        [...cloud.projects.keys()].sort().map((name) => ({ name, project_id: 1 })),
      )
    }
    if (path === '/repositories' && !cloud.isOld) {
      return list(
        seen,
        [...cloud.projects.values()].flat().map((name) => ({ name })),
      )
    }
    const project = /^\/projects\/([^/]+)\/repositories$/.exec(path)?.[1] ?? ''
    const repositories = cloud.projects.get(decodeURIComponent(project))
    // A name that is a number is an id, unless it is said to be a name.
    const isName = seen.headers.get('x-is-resource-name') === 'true' || !/^\d+$/.test(project)
    if (!repositories || !isName) return refuse(404, 'NOT_FOUND', `project ${project} not found`)
    return list(
      seen,
      repositories.map((name) => ({ name })),
    )
  }

  function list(seen: Seen, all: object[]): Response {
    const [page, size] = ['page', 'page_size'].map((key) => Number(seen.query.get(key)))
    if ((size ?? 0) > 100) return refuse(422, 'UNPROCESSABLE', 'page_size')
    const headers = { 'x-total-count': `${all.length}` }
    return Response.json(pageOf(all, page ?? 1, size ?? 10), { headers })
  }

  function create(seen: Seen): Response {
    if (!cloud.mayCreate) return refuse(403, 'FORBIDDEN', 'forbidden')
    const { project_name, metadata } = JSON.parse(seen.body)
    if (metadata.public !== 'false') return refuse(400, 'BAD_REQUEST', 'public')
    if (cloud.projects.has(project_name)) return refuse(409, 'CONFLICT', 'it exists')
    cloud.projects.set(project_name, [])
    return new Response('', { status: 201 })
  }
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ errors: [{ code, message }] }, { status })
}
