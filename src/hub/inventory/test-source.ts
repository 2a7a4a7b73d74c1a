import { type MadeImage, makeImage } from './test-images.ts'

/* What a played registry has, how it counts what it is asked, and when it refuses. */

export interface SourceTag {
  /** Two tags of a repository with one seed are one image. */
  seed: string
  pushedAt: number
}

export interface SourceRepository {
  tags: Map<string, SourceTag>
  /** Epoch milliseconds. */
  changedAt: number
}

export interface TestSource {
  repositories: Map<string, SourceRepository>
  /** By kind. */
  counts: Record<string, number>
  /** All of them. */
  requests(): number
  reset(): void
  /** Every so many requests are answered with 429; 0: none. */
  tooManyEvery: number
  /** Asked before each; a status is answered in its place. */
  refuse: ((kind: string, path: string, query: URLSearchParams) => number | undefined) | undefined
  /** Pushes a tag; without a seed with a content of its own. */
  push(repository: string, tag: string, seed?: string): void
  remove(repository: string, tag?: string): void
  image(repository: string, tag: string): MadeImage
  /** What a digest that was given out names; undefined: nothing. */
  named(digest: string): { body: string; type: string } | undefined
  /** How many times a token may be used before it ends. */
  tokenUses: number
}

const BEGIN = Date.UTC(2026, 0, 1)

/** Tags that begin with `multi` are indexes, those with `arm` have a platform with a variant. */
export function createTestSource(initial: Record<string, readonly string[]>): TestSource {
  /** Where the digests that were given out come from; bodies are made again. */
  const origins = new Map<string, Parameters<typeof makeImage>[0]>()
  let now = BEGIN

  function imageOf(tag: string, { seed, pushedAt }: SourceTag): MadeImage {
    const of = {
      seed,
      created: new Date(BEGIN - 86_400_000 + (pushedAt - BEGIN)).toISOString(),
      isMulti: tag.startsWith('multi'),
      isArm: tag.startsWith('arm'),
    }
    return makeImage(of, (digest) => origins.set(digest, of))
  }

  const self: TestSource = {
    repositories: new Map(),
    counts: {},
    requests: () => Object.values(self.counts).reduce((sum, count) => sum + count, 0),
    reset() {
      self.counts = {}
    },
    tooManyEvery: 0,
    refuse: undefined,
    tokenUses: 50,
    push(name, tag, seed) {
      now += 1_000
      const repository = self.repositories.get(name) ?? { tags: new Map(), changedAt: now }
      repository.tags.set(tag, { seed: seed ?? `${name}:${tag}:${now}`, pushedAt: now })
      repository.changedAt = now
      self.repositories.set(name, repository)
    },
    remove(name, tag) {
      now += 1_000
      const repository = self.repositories.get(name)
      if (tag === undefined) self.repositories.delete(name)
      else if (repository?.tags.delete(tag)) repository.changedAt = now
    },
    image(name, tag) {
      const found = self.repositories.get(name)?.tags.get(tag)
      if (!found) throw new Error(`there is no ${name}:${tag}`)
      return imageOf(tag, found)
    },
    named(digest) {
      const origin = origins.get(digest)
      if (!origin) return undefined
      let found: { body: string; type: string } | undefined
      makeImage(origin, (each, content) => {
        if (each === digest) found = content
      })
      return found
    },
  }
  for (const [name, tags] of Object.entries(initial)) {
    for (const tag of tags) self.push(name, tag)
  }
  return self
}

/** Answers for a source: counted, limited and refused as the test says. */
export function startSourceServer(
  source: TestSource,
  answer: (
    request: Request,
    url: URL,
    note: (kind: string) => Response | undefined,
  ) => Response | Promise<Response>,
): { url: string; stop(): Promise<void> } {
  let asked = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const url = new URL(request.url)
      return answer(request, url, (kind) => {
        asked++
        source.counts[kind] = (source.counts[kind] ?? 0) + 1
        if (source.tooManyEvery > 0 && asked % source.tooManyEvery === 0) {
          return new Response(null, { status: 429, headers: { 'retry-after': '1' } })
        }
        const status = source.refuse?.(kind, url.pathname, url.searchParams)
        return status === undefined ? undefined : new Response(null, { status })
      })
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}

/** `/v2` of a source with tokens that end, and the server that gives them out. */
export function createTokenRegistry(
  source: TestSource,
  isLogin: (authorization: string) => boolean,
) {
  const uses = new Map<string, number>()

  function token(request: Request): Response {
    if (!isLogin(request.headers.get('authorization') ?? '')) {
      return new Response(null, { status: 401 })
    }
    const made = crypto.randomUUID()
    uses.set(made, source.tokenUses)
    return Response.json({ token: made, expires_in: 3600 })
  }

  /** undefined: the token is good. */
  function challenge(request: Request, realm: string, scope: string): Response | undefined {
    const given = (request.headers.get('authorization') ?? '').replace(/^Bearer /, '')
    const left = uses.get(given) ?? 0
    if (left > 0) {
      uses.set(given, left - 1)
      return undefined
    }
    const header = `Bearer realm="${realm}",service="registry",scope="${scope}"`
    const errors = [{ code: 'UNAUTHORIZED', message: 'the token has expired' }]
    return Response.json({ errors }, { status: 401, headers: { 'www-authenticate': header } })
  }

  /** Of a repository: `tags/list`, `manifests/…`, `blobs/…`. */
  function content(method: string, name: string, what: string, reference: string): Response {
    const repository = source.repositories.get(name)
    if (!repository) return new Response(null, { status: 404 })
    if (what === 'tags') return Response.json({ name, tags: [...repository.tags.keys()] })
    const isDigest = reference.includes(':')
    if (!isDigest && !repository.tags.has(reference)) return new Response(null, { status: 404 })
    const image = isDigest ? undefined : source.image(name, reference)
    const found = image ?? source.named(reference)
    if (!found) return new Response(null, { status: 404 })
    return new Response(method === 'HEAD' ? null : found.body, {
      headers: {
        'content-type': found.type,
        'content-length': String(found.body.length),
        'docker-content-digest': image?.digest ?? reference,
      },
    })
  }

  return { token, challenge, content }
}
