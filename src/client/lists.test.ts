import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { digestOf, type FaultServer, startFaultServer } from './test-fault-server.ts'
import { entriesOf, failureOf, remoteOf, type TestRemote } from './test-remote.ts'

/* Tags and repositories, by pages that end, do not end, or lead elsewhere. */

let server: FaultServer
let remote: TestRemote
beforeAll(async () => {
  server = await startFaultServer()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.seen.length = 0
  server.manifests.clear()
  server.fault = () => undefined
  remote = remoteOf(server.url)
})

test('pages by Link, relative or with the inner host of a proxy, each tag once', async () => {
  const pages: Record<string, { tags: unknown; link?: string }> = {
    '': { tags: ['a', 'b', digestOf('x'), 7], link: '</v2/a/tags/list?n=3&last=b>; rel="next"' },
    b: { tags: ['b', 'c'], link: '<http://inner:80/v2/a/tags/list?last=c&n=3>;rel=next' },
    c: { tags: ['d', 'd', 'e', 'f'] },
    f: { tags: null },
  }
  server.fault = ({ path, query }) => {
    if (path !== '/v2/a/tags/list') return undefined
    const { tags, link } = pages[query.get('last') ?? ''] ?? { tags: [] }
    return { headers: link ? { link } : {}, body: JSON.stringify({ name: 'a', tags }) }
  }
  expect(await entriesOf(remote.registry.listTags('a'))).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  expect(server.seen.slice(1).map(({ query }) => query.get('last'))).toEqual([null, 'b', 'c', 'f'])
})

test('a list without pages, without tags, or of nothing', async () => {
  const answer = (tags: unknown) => {
    server.fault = ({ path }) =>
      path === '/v2/a/tags/list' ? { body: JSON.stringify({ tags }) } : undefined
  }
  // It neither cuts nor knows `last`.
  answer(['a', 'b', 'c', 'd'])
  expect(await entriesOf(remote.registry.listTags('a'))).toEqual(['a', 'b', 'c', 'd'])
  answer(null)
  expect(await entriesOf(remote.registry.listTags('a'))).toEqual([])
  expect(await entriesOf(remote.registry.listTags('none'))).toEqual([])
})

test('a Link in circles ends with an error, one to elsewhere is not followed', async () => {
  const answer = (link: (count: number) => string) => {
    let count = 0
    server.fault = ({ path }) =>
      path === '/v2/a/tags/list'
        ? { headers: { link: `<${link(++count)}>; rel="next"` }, body: '{"tags":["a"]}' }
        : undefined
  }
  answer(() => '/v2/a/tags/list?last=a')
  expect(await failureOf(remote.registry.listTags('a'))).toMatchObject({ problem: 'loop' })
  answer((count) => `/v2/a/tags/list?last=${count}`)
  expect(await failureOf(remote.registry.listTags('a'))).toMatchObject({ problem: 'loop' })
  answer(() => 'http://169.254.169.254/latest/meta-data')
  expect(await failureOf(remote.registry.listTags('a'))).toMatchObject({ problem: 'redirect' })
})

test('repositories: by the catalog, within a namespace, and told when it is closed', async () => {
  const repositories = ['team/a', 'team/b', 'teams/c']
  server.fault = ({ path }) =>
    path === '/v2/_catalog' ? { body: JSON.stringify({ repositories }) } : undefined
  expect(await entriesOf(remote.registry.listRepositories())).toEqual(repositories)
  const within = remote.registry.listRepositories({ namespace: 'team' })
  expect(await entriesOf(within)).toEqual(['team/a', 'team/b'])
  server.fault = () => undefined
  const closed = await failureOf(remote.registry.listRepositories())
  expect(closed).toMatchObject({ problem: 'unsupported' })
  server.fault = ({ path }) => (path === '/v2/_catalog' ? { status: 403 } : undefined)
  const denied = await failureOf(remote.registry.listRepositories())
  expect(denied).toMatchObject({ code: 'remote_denied', problem: 'permission' })
})

test("repositories by the provider's own list, which may end nowhere", async () => {
  const pageOf = (next: string | undefined) =>
    next === undefined ? { repositories: ['a', 'b'], next: '2' } : { repositories: ['b', 'c'] }
  const own = remoteOf(server.url, {
    provider: { listRepositories: async (_, { next }) => pageOf(next) },
  })
  expect(await entriesOf(own.registry.listRepositories())).toEqual(['a', 'b', 'c'])
  const stuck = remoteOf(server.url, {
    provider: { listRepositories: async () => ({ repositories: ['a'], next: '2' }) },
  })
  expect(await failureOf(stuck.registry.listRepositories())).toMatchObject({ problem: 'loop' })
})
