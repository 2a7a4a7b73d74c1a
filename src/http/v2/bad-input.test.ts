import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { createPostgresTest, type TestDatabase } from '../../store/db/test-databases.ts'
import {
  anyDigest,
  anyName,
  anyValue,
  createTry,
  printable,
  RUNS,
  type Try,
} from '../test-bad-input.ts'
import { digestOf, pushBlob, pushImage, randomBlob } from '../test-content.ts'
import { startTestServer, type TestServer } from '../test-server.ts'

setDefaultTimeout(120_000)

/** Both engines: they differ in what they take for text. */
describe.each(['sqlite', 'postgres'] as const)('bad input, on %s', (engine) => {
  let server: TestServer
  let database: TestDatabase | undefined
  let attempt: Try
  let location: string
  const blob = randomBlob(6_000)
  beforeAll(async () => {
    database = engine === 'postgres' ? await createPostgresTest() : undefined
    const url = database?.location.url
    server = await startTestServer(url ? { ENTREPOT_DATABASE_URL: url } : {})
    const admin = await server.accounts.users.find('admin')
    const { token } = await server.accounts.apiTokens.create(admin?.id ?? 0, { name: 'bad input' })
    attempt = createTry(server, `Bearer ${token}`)
    const wire = server.connect()
    await pushBlob(wire, server.admin, 'team/a', blob)
    await pushImage(wire, server.admin, 'team/a', 'latest')
    const started = await wire.request('POST', '/v2/team/a/blobs/uploads/', {
      as: `Bearer ${token}`,
    })
    location = started.header('location') ?? ''
  })
  afterAll(async () => {
    // After all of it everything is as it was.
    const tags = await attempt('GET', '/v2/team/a/tags/list')
    expect(tags.json<{ tags: string[] }>().tags).toContain('latest')
    await server.stop()
    await database?.remove()
  })

  const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE']

  test('names', async () => {
    const rest = [
      'tags/list',
      'manifests/latest',
      'blobs/uploads/',
      `blobs/${digestOf('')}`,
      '',
      '/',
    ]
    await fc.assert(
      fc.asyncProperty(
        anyName,
        fc.constantFrom(...rest),
        fc.constantFrom(...METHODS),
        async (name, end, method) => {
          await attempt(method, `/v2/${name}/${end}`)
        },
      ),
      { ...RUNS, numRuns: 400 },
    )
  })

  test('references, digests and upload ids', async () => {
    const places = ['manifests', 'blobs', 'blobs/uploads', 'referrers']
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...places),
        anyDigest,
        fc.constantFrom(...METHODS),
        async (place, target, method) => {
          await attempt(method, `/v2/team/a/${place}/${target}`)
        },
      ),
      { ...RUNS, numRuns: 400 },
    )
  })

  test('parameters', async () => {
    const query = fc.array(
      fc.tuple(
        fc.constantFrom(
          'n',
          'last',
          'artifactType',
          'digest',
          'mount',
          'from',
          'tag',
          'digest-algorithm',
        ),
        anyValue,
      ),
      { minLength: 1, maxLength: 4 },
    )
    const asks: [string, string][] = [
      ['GET', '/v2/_catalog'],
      ['GET', '/v2/team/a/tags/list'],
      ['GET', `/v2/team/a/referrers/${digestOf('')}`],
      ['POST', '/v2/team/a/blobs/uploads/'],
      ['PUT', '/v2/team/a/manifests/tried'],
      ['GET', '/v2/team/a/manifests/latest'],
      ['PUT', '/v2/team/a/blobs/uploads/no-such-id'],
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...asks), query, async ([method, path], pairs) => {
        await attempt(method, `${path}?${new URLSearchParams(pairs)}`)
      }),
      { ...RUNS, numRuns: 500 },
    )
    // Also what is no encoding of anything.
    for (const raw of ['n=%', 'last=%ff%fe', '&&==&', 'n=1&n=2', 'last=%00', 'artifactType=%00']) {
      for (const [method, path] of asks) await attempt(method, `${path}?${raw}`)
    }
  })

  test('ranges', async () => {
    const number = fc.oneof(
      fc.nat(7_000).map(String),
      fc.constantFrom('', '-1', '1e3', '9'.repeat(30)),
    )
    const one = fc
      .tuple(number, fc.constantFrom('-', '--', '', ' - '), number)
      .map((x) => x.join(''))
    const range = fc.oneof(
      fc.tuple(fc.constantFrom('bytes=', 'bytes ', 'items=', ''), fc.array(one, { maxLength: 5 })),
      fc.tuple(printable(20), fc.constant([])),
    )
    await fc.assert(
      fc.asyncProperty(range, printable(10), async ([unit, parts], etag) => {
        const headers = { range: unit + parts.join(','), 'if-none-match': etag }
        const path = `/v2/team/a/blobs/${digestOf(blob)}`
        const answer = await attempt('GET', path, { headers })
        expect([200, 206, 304, 416]).toContain(answer.status)
        const content = answer.header('content-range')
        const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(content ?? '') ?? []
        if (answer.status !== 206 || first === undefined) return
        expect(answer.body.equals(blob.subarray(Number(first), Number(last) + 1))).toBeTrue()
      }),
      RUNS,
    )
  })

  test('chunks', async () => {
    const range = fc.oneof(
      fc.tuple(fc.nat(20), fc.nat(20)).map(([a, b]) => `${a}-${b}`),
      fc.constantFrom('bytes 0-1/2', '0-', '-1', '', '1', '0-0-0', '99999999999999999999-1'),
      printable(12),
    )
    await fc.assert(
      fc.asyncProperty(range, fc.uint8Array({ maxLength: 12 }), async (value, body) => {
        const headers = { 'content-range': value }
        const answer = await attempt('PATCH', location, { headers, body })
        expect([202, 400, 416]).toContain(answer.status)
      }),
      RUNS,
    )
    expect((await attempt('GET', location)).status).toBe(204)
  })

  test('headers', async () => {
    const names = [
      'accept',
      'content-type',
      'if-none-match',
      'if-range',
      'host',
      'user-agent',
      'cookie',
    ]
    const credentials = fc.oneof(
      fc.tuple(fc.constantFrom('Basic ', 'Bearer ', 'basic', 'BEARER\t', 'Digest '), printable(60)),
      fc.tuple(
        fc.constant('Basic '),
        fc
          .tuple(anyValue, anyValue)
          .map((pair) => Buffer.from(pair.join(':').slice(0, 2_000)).toString('base64')),
      ),
      fc.tuple(
        fc.constantFrom('Bearer eyJhbGciOiJub25lIn0.', 'Bearer ept_', 'Bearer a.b.c'),
        printable(60),
      ),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        printable(80),
        fc.option(credentials),
        fc.constantFrom('GET', 'PUT', 'POST', 'HEAD'),
        async (name, value, as, method) => {
          const headers = { [name]: name === 'host' ? value.replace(/^\s*$/, 'h') : value }
          const path = method === 'POST' ? 'blobs/uploads/' : 'manifests/latest'
          const request = as ? { headers, as: as.join('').trimEnd() } : { headers }
          const answer = await attempt(method, `/v2/team/b/${path}`, request)
          if (as) expect([400, 401, 403, 429]).toContain(answer.status)
        },
      ),
      { ...RUNS, numRuns: 200 },
    )
    for (const as of [`Basic ${'A'.repeat(50_000)}`, `Bearer ${'a.'.repeat(25_000)}`]) {
      expect((await attempt('GET', '/v2/', { as })).status).toBe(401)
    }
  })

  test('scopes', async () => {
    const scope = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('repository', 'repository(plugin)', 'registry', 'x', '', 'repository('),
          fc.constantFrom(':', '::', '', ' '),
          anyValue,
          fc.constantFrom(':', '', '::'),
          fc.constantFrom('pull', 'push,pull', '*', '', ',', 'delete,\0', 'pull pull'),
        )
        .map((parts) => parts.join('')),
      anyValue,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(scope, { maxLength: 5 }), fc.boolean(), async (scopes, post) => {
        const query = new URLSearchParams(scopes.map((text): [string, string] => ['scope', text]))
        query.append('grant_type', 'password')
        const answer = await (post
          ? attempt('POST', '/token', { body: query.toString() })
          : attempt('GET', `/token?${query}`))
        expect([200, 400, 401, 413, 429]).toContain(answer.status)
        expect(answer.header('content-type')).toBe('application/json')
      }),
      { ...RUNS, numRuns: 200 },
    )
  })
})
