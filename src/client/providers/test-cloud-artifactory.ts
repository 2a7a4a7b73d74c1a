import { type Seen, startCloud, type TestCloud } from './test-cloud.ts'

export interface ArtifactoryCloud extends TestCloud {
  /** Key → type and images. */
  repositories: Map<string, { packageType: string; images: string[] }>
  isAdministrator: boolean
  throttled: number
  /** A proxy in front lets only `/v2/` through. */
  isHidden: boolean
}

/** The REST API of Artifactory as far as it is about repositories, and their catalogs. */
export function startArtifactory(options: { user: string; secret: string }): ArtifactoryCloud {
  const expected = `Basic ${btoa(`${options.user}:${options.secret}`)}`
  const cloud: ArtifactoryCloud = Object.assign(startCloud(answer), {
    repositories: new Map(),
    isAdministrator: true,
    throttled: 0,
    isHidden: false,
  })
  return cloud

  function answer(seen: Seen): Response {
    if (cloud.isHidden) return new Response('not found', { status: 404 })
    if (seen.headers.get('authorization') !== expected) return refuse(401, 'Bad credentials')
    if (cloud.throttled > 0) {
      cloud.throttled -= 1
      return refuse(429, 'Too many requests')
    }
    const path = seen.path.replace(/^\/artifactory\/api/, '')
    if (path === '/repositories') {
      const shown = [...cloud.repositories].map(([key, { packageType }]) => ({
        key,
        type: 'LOCAL',
        packageType: packageType.charAt(0).toUpperCase() + packageType.slice(1),
      }))
      return Response.json(shown)
    }
    const key = decodeURIComponent(/^\/repositories\/([^/]+)$/.exec(path)?.[1] ?? '')
    if (key !== '') return seen.method === 'PUT' ? create(key, seen) : show(key)
    const [, type, ofCatalog = ''] = /^\/([a-z]+)\/([^/]+)\/v2\/_catalog$/.exec(path) ?? []
    const repository = cloud.repositories.get(decodeURIComponent(ofCatalog))
    if (!repository || repository.packageType !== type) return refuse(404, 'Not found')
    const last = seen.query.get('last') ?? ''
    const rest = repository.images.filter((image) => image > last)
    return Response.json({ repositories: rest.slice(0, Number(seen.query.get('n'))) })
  }

  function show(key: string): Response {
    const found = cloud.repositories.get(key)
    // As the real one: not 404.
    return found ? Response.json({ key, rclass: 'local' }) : refuse(400, 'Bad Request')
  }

  function create(key: string, seen: Seen): Response {
    if (!cloud.isAdministrator) return refuse(403, 'Forbidden')
    const { rclass, packageType } = JSON.parse(seen.body)
    if (rclass !== 'local' || packageType !== 'docker') return refuse(400, 'Bad Request')
    cloud.repositories.set(key, { packageType, images: [] })
    return new Response(`Successfully created repository '${key}'`)
  }
}

function refuse(status: number, message: string): Response {
  return Response.json({ errors: [{ status, message }] }, { status })
}
