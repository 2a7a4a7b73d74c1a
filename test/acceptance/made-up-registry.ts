import { createHash } from 'node:crypto'

/*
 * A registry that asks for a name and a password and has as many images as it is told, made up when
 * they are asked for. Runs in the test's own process, or by itself where it shall be in a network of
 * its  own: `bun made-up-registry.ts <host> <port> <repositories> <tags> <user> <slowness>`, the password in
 * MADE_UP_PASSWORD.
 */

export interface MadeUpRegistry {
  readonly host: string
  /** Headers `Authorization` that came, each once. */
  readonly seen: Set<string>
  /** Requests so far. */
  readonly count: () => number
  stop(): Promise<void>
}

export interface MadeUp {
  readonly hostname: string
  readonly port: number
  readonly repositories: number
  readonly tags: number
  readonly username: string
  readonly password: string
  /** Milliseconds that each answer takes. */
  readonly slowness?: number
}

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json'
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'

const configOf = (repository: string, tag: string) =>
  JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    created: '2026-01-02T03:04:05Z',
    config: { Labels: { name: `${repository}:${tag}` } },
  })

const manifestOf = (repository: string, tag: string) => {
  const config = configOf(repository, tag)
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: sha256(config), size: config.length },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: sha256('layer'),
        size: 1000,
      },
    ],
  })
}

export const repositoryNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `team-${i % 3}/app-${i}`)

export const tagNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `1.0.${i}`)

export const startMadeUpRegistry = (made: MadeUp): MadeUpRegistry => {
  const repositories = repositoryNames(made.repositories)
  const tags = tagNames(made.tags)
  const login = `Basic ${Buffer.from(`${made.username}:${made.password}`).toString('base64')}`
  const seen = new Set<string>()
  /** What was named by its digest lately. */
  const named = new Map<string, { body: string; type: string }>()
  let count = 0

  const answer = (request: Request): Response => {
    const { pathname: path, searchParams: query } = new URL(request.url)
    const given = request.headers.get('authorization')
    if (given !== null) seen.add(given)
    if (given !== login) {
      return new Response('{}', {
        status: 401,
        headers: { 'www-authenticate': 'Basic realm="made up"' },
      })
    }
    if (path === '/v2/') return Response.json({})
    // Of Harbor's own API no more than the names.
    if (path === '/api/v2.0/repositories') {
      const [page = 1, size = 10] = ['page', 'page_size'].map((key) => Number(query.get(key)))
      const names = repositories.slice((page - 1) * size, page * size)
      const headers = { 'x-total-count': String(repositories.length) }
      return Response.json(
        names.map((name) => ({ name })),
        { headers },
      )
    }
    if (path === '/v2/_catalog') return Response.json({ repositories })
    const [, repository = '', what = '', reference = ''] =
      /^\/v2\/(.+)\/(tags|manifests|blobs)\/(.+)$/.exec(path) ?? []
    if (!repositories.includes(repository)) return new Response('{}', { status: 404 })
    if (what === 'tags') return Response.json({ name: repository, tags })
    if (what === 'manifests' && tags.includes(reference)) {
      const config = configOf(repository, reference)
      named.set(sha256(config), { body: config, type: CONFIG_TYPE })
      const body = manifestOf(repository, reference)
      named.set(sha256(body), { body, type: MANIFEST_TYPE })
      return content(request, sha256(body), { body, type: MANIFEST_TYPE })
    }
    const found = named.get(reference)
    return found ? content(request, reference, found) : new Response('{}', { status: 404 })
  }

  const server = Bun.serve({
    hostname: made.hostname,
    port: made.port,
    async fetch(request) {
      count++
      if (made.slowness) await Bun.sleep(made.slowness)
      return answer(request)
    },
  })
  return {
    host: `${made.hostname}:${server.port}`,
    seen,
    count: () => count,
    stop: () => server.stop(true),
  }
}

const content = (
  { method }: Request,
  digest: string,
  { body, type }: { body: string; type: string },
): Response =>
  new Response(method === 'HEAD' ? null : body, {
    headers: {
      'content-type': type,
      'content-length': String(body.length),
      'docker-content-digest': digest,
    },
  })

if (import.meta.main) {
  const [hostname = '', port = '', repositories = '', tags = '', username = '', slowness = ''] =
    process.argv.slice(2)
  const { host } = startMadeUpRegistry({
    hostname,
    port: Number(port),
    repositories: Number(repositories),
    tags: Number(tags),
    username,
    // Not an argument: those can be read by everybody on the machine.
    password: process.env.MADE_UP_PASSWORD ?? '',
    slowness: Number(slowness),
  })
  process.stdout.write(`listening on ${host}\n`)
}
