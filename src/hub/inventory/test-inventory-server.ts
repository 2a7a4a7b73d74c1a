import { type MadeImage, makeImage, sha256 } from './test-images.ts'

/*
 * A registry with any number of images, which are made up when they are asked for: nothing is kept
 * but what a test changed. It counts its requests, pages its lists and fails where a test says.
 */

export interface InventoryServer {
  url: string
  /** By kind: `catalog`, `tags`, `head`, `manifest`, `blob`. */
  counts: Record<string, number>
  reset(): void
  /** Every so many requests are answered with 429; 0: none. */
  tooManyEvery: number
  /** Asked before each; a status is answered in its place. */
  refuse: ((kind: string, path: string, query: URLSearchParams) => number | undefined) | undefined
  /** Another content for this tag. */
  change(repository: string, tag: string): void
  tags(repository: string): string[] | undefined
  setTags(repository: string, tags: string[] | undefined): void
  stop(): Promise<void>
}

export function startInventoryServer(initial: Record<string, string[]>): InventoryServer {
  const repositories = new Map(Object.entries(initial).map(([name, tags]) => [name, [...tags]]))
  const versions = new Map<string, number>()
  /** What was named by a digest lately; found again by whoever asks for it next. */
  const named = new Map<string, { body: string; type: string }>()
  let asked = 0

  function keep(digest: string, content: { body: string; type: string }) {
    named.set(digest, content)
    const [oldest] = named.keys()
    if (named.size > 20_000 && oldest !== undefined) named.delete(oldest)
  }

  /** Tags that begin with `multi` are indexes with an attestation; the later the younger. */
  function manifestOf(repository: string, tag: string): MadeImage {
    const version = versions.get(`${repository}:${tag}`) ?? 0
    const at = repositories.get(repository)?.indexOf(tag) ?? 0
    const created = new Date(Date.UTC(2026, 0, 1) + at * 60_000 + version).toISOString()
    const isMulti = tag.startsWith('multi')
    return makeImage({ seed: `${repository}:${tag}:${version}`, created, isMulti }, keep)
  }

  function page(all: readonly string[], field: string, url: URL, name?: string): Response {
    const n = Number(url.searchParams.get('n') ?? '100')
    const last = url.searchParams.get('last')
    const from = last === null ? 0 : all.indexOf(last) + 1
    const items = all.slice(from, from + n)
    const headers: Record<string, string> = {}
    if (from + n < all.length) {
      headers.link = `<${url.pathname}?n=${n}&last=${items.at(-1)}>; rel="next"`
    }
    return Response.json({ ...(name === undefined ? {} : { name }), [field]: items }, { headers })
  }

  function answer(kind: string, rest: readonly string[], url: URL, method: string): Response {
    const [repository = '', reference = ''] = rest
    if (kind === 'catalog') return page([...repositories.keys()], 'repositories', url)
    const tags = repositories.get(repository)
    if (!tags) return new Response(null, { status: 404 })
    if (kind === 'tags') return page(tags, 'tags', url, repository)
    const isDigest = reference.includes(':')
    if (!isDigest && !tags.includes(reference)) return new Response(null, { status: 404 })
    const found = isDigest ? named.get(reference) : manifestOf(repository, reference)
    if (!found) return new Response(null, { status: 404 })
    const digest = isDigest ? reference : sha256(found.body)
    return new Response(method === 'HEAD' ? null : found.body, {
      headers: {
        'content-type': found.type,
        'content-length': String(found.body.length),
        'docker-content-digest': digest,
      },
    })
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const url = new URL(request.url)
      const path = url.pathname.slice('/v2/'.length)
      const [, repository = '', what = '', reference = ''] =
        /^(.+)\/(tags|manifests|blobs)\/(.+)$/.exec(path) ?? []
      if (path === '') return Response.json({})
      const kind =
        path === '_catalog'
          ? 'catalog'
          : what === 'manifests'
            ? request.method === 'HEAD'
              ? 'head'
              : 'manifest'
            : what === 'blobs'
              ? 'blob'
              : 'tags'
      asked++
      if (self.tooManyEvery > 0 && asked % self.tooManyEvery === 0) {
        return new Response(null, { status: 429, headers: { 'retry-after': '1' } })
      }
      self.counts[kind] = (self.counts[kind] ?? 0) + 1
      const status = self.refuse?.(kind, path, url.searchParams)
      if (status !== undefined) return new Response(null, { status })
      return answer(kind, [repository, reference], url, request.method)
    },
  })

  const self: InventoryServer = {
    url: `http://127.0.0.1:${server.port}`,
    counts: {},
    reset() {
      self.counts = {}
    },
    tooManyEvery: 0,
    refuse: undefined,
    change(repository, tag) {
      const key = `${repository}:${tag}`
      versions.set(key, (versions.get(key) ?? 0) + 1)
    },
    tags: (repository) => repositories.get(repository),
    setTags(repository, tags) {
      if (tags) repositories.set(repository, tags)
      else repositories.delete(repository)
    },
    async stop() {
      await server.stop(true)
    },
  }
  return self
}
