import {
  createTestSource,
  createTokenRegistry,
  startSourceServer,
  type TestSource,
} from './test-source.ts'

export interface ArtifactoryServer extends TestSource {
  url: string
  /** Keys whose images are elsewhere: they are not found by a search. */
  remoteKeys: Set<string>
  /** The most entries of one answer; above that it is cut. */
  searchLimit: number
  stop(): Promise<void>
}

const LOGIN = 'reader'
const SECRET = 'example-Secret-2'
export const ARTIFACTORY_LOGIN = { accessKey: LOGIN, secretKey: SECRET }

/**
 * Plays Artifactory for an account that may read: its list of keys, catalogs, the search of files,
 * and `/v2` with tokens that end. The first part of a repository's name is its key.
 */
export function startArtifactoryServer(
  initial: Record<string, readonly string[]>,
): ArtifactoryServer {
  const source = createTestSource(initial)
  const expected = `Basic ${btoa(`${LOGIN}:${SECRET}`)}`
  const registry = createTokenRegistry(source, (authorization) => authorization === expected)
  const keyOf = (name: string) => name.slice(0, name.indexOf('/'))

  function keys(): Response {
    const all = [...new Set([...source.repositories.keys()].map(keyOf))].sort()
    return Response.json(
      all.map((key) => ({
        key,
        type: self.remoteKeys.has(key) ? 'REMOTE' : 'LOCAL',
        packageType: 'Docker',
      })),
    )
  }

  function catalog(key: string, query: URLSearchParams): Response {
    const last = query.get('last') ?? ''
    const images = [...source.repositories.keys()]
      .filter((name) => keyOf(name) === key)
      .map((name) => name.slice(key.length + 1))
      .filter((name) => name > last)
      .sort()
    return Response.json({ repositories: images.slice(0, Number(query.get('n'))) })
  }

  /** The one query that is asked of it here, with what it demands of those who are no administrators. */
  async function search(request: Request): Promise<Response> {
    const text = await request.text()
    const [, criteria = '', fields = ''] = /^items\.find\((.+)\)\.include\((.+)\)$/.exec(text) ?? []
    if (criteria === '') return refuse(400, 'Failed to parse query')
    const { repo: key, path } = JSON.parse(criteria) as { repo: string; path?: { $match: string } }
    for (const field of ['"repo"', '"path"', '"name"']) {
      if (!fields.split(',').includes(field)) return refuse(400, 'fields name, repo and path')
    }
    const below = path?.$match.replace(/\*$/, '') ?? ''
    const found: object[] = []
    for (const [name, { tags }] of source.repositories) {
      if (keyOf(name) !== key || self.remoteKeys.has(key)) continue
      const image = name.slice(key.length + 1)
      if (!`${image}/`.startsWith(below)) continue
      for (const [tag, { pushedAt }] of tags) {
        const made = source.image(name, tag)
        const file = made.children.length > 0 ? 'list.manifest.json' : 'manifest.json'
        const modified = new Date(pushedAt).toISOString()
        const entry = (at: string, of: string, digest: string) => ({
          repo: key,
          path: `${image}/${at}`,
          name: of,
          sha256: digest.slice('sha256:'.length),
          modified,
        })
        found.push(entry(tag, file, made.digest))
        for (const child of made.children) {
          found.push(entry(child.digest, 'manifest.json', child.digest))
        }
      }
    }
    const results = found.slice(0, self.searchLimit)
    const isCut = results.length < found.length
    const range = {
      start_pos: 0,
      end_pos: results.length,
      total: results.length,
      ...(isCut
        ? { notification: 'AQL query reached the search hard limit, results are trimmed.' }
        : {}),
    }
    return new Response(JSON.stringify({ results, range }, null, 2), {
      headers: { 'content-type': 'application/json' },
    })
  }

  function api(request: Request, path: string, query: URLSearchParams) {
    if (path === '/repositories') return keys()
    if (path === '/search/aql' && request.method === 'POST') return search(request)
    const key = /^\/docker\/([^/]+)\/v2\/_catalog$/.exec(path)?.[1]
    return key === undefined ? refuse(404, 'Not found') : catalog(key, query)
  }

  const server = startSourceServer(source, (request, url, note) => {
    const { pathname: path, searchParams: query } = url
    if (path === '/v2/token') return note('token') ?? registry.token(request)
    if (path.startsWith('/artifactory/api/')) {
      const kind = /(_catalog|aql|repositories)$/.exec(path)?.[1] ?? 'api'
      const refused = note(kind)
      if (refused) return refused
      if (request.headers.get('authorization') !== expected) return refuse(401, 'Bad credentials')
      return api(request, path.slice('/artifactory/api'.length), query)
    }
    const [, name = '', what = '', reference = ''] =
      /^\/v2\/(.+)\/(tags|manifests|blobs)\/(.+)$/.exec(path) ?? []
    return (
      note(request.method === 'HEAD' ? 'head' : what || 'v2') ??
      registry.challenge(request, `${url.origin}/v2/token`, `repository:${name}:pull`) ??
      (name === '' ? Response.json({}) : registry.content(request.method, name, what, reference))
    )
  })

  const self: ArtifactoryServer = Object.assign(source, {
    url: server.url,
    remoteKeys: new Set<string>(),
    searchLimit: Number.POSITIVE_INFINITY,
    stop: server.stop,
  })
  return self
}

function refuse(status: number, message: string): Response {
  return Response.json({ errors: [{ status, message }] }, { status })
}
