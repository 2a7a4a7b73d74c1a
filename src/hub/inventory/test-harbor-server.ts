import type { MadeImage } from './test-images.ts'
import {
  createTestSource,
  createTokenRegistry,
  startSourceServer,
  type TestSource,
} from './test-source.ts'

export interface HarborServer extends TestSource {
  url: string
  /** As `/systeminfo` tells it. Before v2.15.2 a retag does not move the time of its repository. */
  version: string
  /** Harbor 1: `/api` without `/v2.0`. */
  isOne: boolean
  stop(): Promise<void>
}

interface PlayedArtifact {
  digest: string
  manifest_media_type: string
  size: number
  push_time: string
  extra_attrs: object
  references: object[] | null
  tags: { name: string; push_time: string }[] | null
}

const LOGIN = 'robot$inventory'
const SECRET = 'example-Secret-1'
export const HARBOR_LOGIN = { accessKey: LOGIN, secretKey: SECRET }
const MOST_PER_PAGE = 100

/** Plays Harbor: API v2.0, that of Harbor 1, and `/v2` with tokens that end. */
export function startHarborServer(initial: Record<string, readonly string[]>): HarborServer {
  const source = createTestSource(initial)
  const expected = `Basic ${btoa(`${LOGIN}:${SECRET}`)}`
  const registry = createTokenRegistry(source, (authorization) => authorization === expected)
  const artifacts = new Map<string, { at: number; all: PlayedArtifact[] }>()

  function repositoriesOf(project?: string) {
    return [...source.repositories]
      .filter(([name]) => project === undefined || name.startsWith(`${project}/`))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { changedAt, tags }]) => ({
        name,
        artifact_count: tags.size,
        creation_time: '2025-12-31T00:00:00.000Z',
        update_time: new Date(self.version >= 'v2.15.2' ? changedAt : 0).toISOString(),
      }))
  }

  function projects() {
    const names = new Set([...source.repositories.keys()].map((name) => name.split('/')[0] ?? ''))
    return [...names].sort().map((name, index) => ({ project_id: index + 1, name }))
  }

  /** By id: what an index names was pushed before it. */
  function artifactsOf(name: string): PlayedArtifact[] | undefined {
    const repository = source.repositories.get(name)
    if (!repository) return undefined
    const cached = artifacts.get(name)
    if (cached?.at === repository.changedAt) return cached.all
    const byDigest = new Map<string, PlayedArtifact>()
    const add = (image: MadeImage, pushedAt: string): PlayedArtifact => {
      const references = image.children.map((child) => {
        add(child, pushedAt)
        const isAttestation = child.platform.os === 'unknown'
        return {
          child_digest: child.digest,
          platform: child.platform,
          annotations: isAttestation
            ? { 'vnd.docker.reference.type': 'attestation-manifest' }
            : null,
        }
      })
      const { os, architecture } = image.platform
      const played = byDigest.get(image.digest) ?? {
        digest: image.digest,
        manifest_media_type: image.type,
        size: image.size,
        push_time: pushedAt,
        extra_attrs: os === '' ? {} : { os, architecture, created: image.created },
        references: references.length === 0 ? null : references,
        tags: null,
      }
      byDigest.set(image.digest, played)
      return played
    }
    for (const [tag, { pushedAt }] of repository.tags) {
      const time = new Date(pushedAt).toISOString()
      const played = add(source.image(name, tag), time)
      played.tags = [...(played.tags ?? []), { name: tag, push_time: time }]
    }
    const all = [...byDigest.values()]
    artifacts.set(name, { at: repository.changedAt, all })
    return all
  }

  function page(all: readonly object[] | undefined, query: URLSearchParams): Response {
    if (!all) return refuse(404, 'NOT_FOUND')
    const [at, size] = [Number(query.get('page') ?? 1), Number(query.get('page_size') ?? 10)]
    if (size > MOST_PER_PAGE || size < 1 || at < 1) return refuse(422, 'UNPROCESSABLE_ENTITY')
    const headers = { 'x-total-count': `${all.length}` }
    return Response.json(all.slice((at - 1) * size, at * size), { headers })
  }

  function api(path: string, query: URLSearchParams): Response {
    if (path === '/systeminfo') return Response.json({ harbor_version: self.version })
    if (path === '/repositories') return page(repositoriesOf(), query)
    if (path === '/projects') return page(projects(), query)
    const [, project = '', name] =
      /^\/projects\/([^/]+)\/repositories(?:\/([^/]+)\/artifacts)?$/.exec(path) ?? []
    if (project === '') return refuse(404, 'NOT_FOUND')
    if (name === undefined) return page(repositoriesOf(project), query)
    const full = `${project}/${decodeURIComponent(decodeURIComponent(name))}`
    const all = artifactsOf(full)
    // Without it images of indexes are left out.
    const isAll = query.get('q') === 'base=*'
    return page(isAll ? all : all?.filter(({ tags }) => tags !== null), query)
  }

  function apiOne(path: string, query: URLSearchParams): Response {
    if (path === '/projects') return page(projects(), query)
    if (path === '/repositories') {
      const project = projects().find(({ project_id: id }) => `${id}` === query.get('project_id'))
      return project ? page(repositoriesOf(project.name), query) : refuse(404, 'NOT_FOUND')
    }
    const name = /^\/repositories\/(.+)\/tags$/.exec(path)?.[1] ?? ''
    const repository = source.repositories.get(name)
    if (!repository) return refuse(404, 'NOT_FOUND')
    return Response.json(
      [...repository.tags].map(([tag, { pushedAt }]) => ({
        name: tag,
        digest: source.image(name, tag).digest,
        push_time: new Date(pushedAt).toISOString(),
      })),
    )
  }

  const server = startSourceServer(source, (request, url, note) => {
    const { pathname: path, searchParams: query } = url
    const base = self.isOne ? '/api' : '/api/v2.0'
    if (path.startsWith('/api/')) {
      const rest = path.slice(base.length)
      const kind = /(artifacts|tags|repositories|projects|systeminfo)$/.exec(path)?.[1] ?? 'api'
      const refused = note(kind)
      if (refused) return refused
      if (request.headers.get('authorization') !== expected) return refuse(401, 'UNAUTHORIZED')
      const isHere = path.startsWith(`${base}/`) && (!self.isOne || !path.startsWith('/api/v2.0'))
      if (!isHere) return refuse(404, 'NOT_FOUND')
      return self.isOne ? apiOne(rest, query) : api(rest, query)
    }
    if (path === '/service/token') return note('token') ?? registry.token(request)
    const [, name = '', what = '', reference = ''] =
      /^\/v2\/(.+)\/(tags|manifests|blobs)\/(.+)$/.exec(path) ?? []
    const scope = `repository:${name}:pull`
    const realm = `${url.origin}/service/token`
    return (
      note(what || 'v2') ??
      registry.challenge(request, realm, scope) ??
      (name === '' ? Response.json({}) : registry.content(request.method, name, what, reference))
    )
  })

  const self: HarborServer = Object.assign(source, {
    url: server.url,
    version: 'v2.16.0-6b4981d4',
    isOne: false,
    stop: server.stop,
  })
  return self
}

function refuse(status: number, code: string): Response {
  return Response.json({ errors: [{ code, message: code.toLowerCase() }] }, { status })
}
