import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { createPostgresTest, type TestDatabase } from '../../store/db/test-databases.ts'
import { createTry, printable, RUNS, type Try } from '../test-bad-input.ts'
import { descriptorOf, imageManifest, OCI_INDEX, OCI_MANIFEST, pushBlob } from '../test-content.ts'
import { startTestServer, type TestServer } from '../test-server.ts'

setDefaultTimeout(120_000)

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Whatever JSON can say, and what it cannot say well. */
const anyJson: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json[]>(
    ...[
      null,
      true,
      0,
      -1,
      1.5,
      2 ** 53,
      1e300,
      '',
      '\0',
      'a\0b',
      '\ud800',
      '🐋',
      'x'.repeat(5_000),
    ],
    ...[[], {}, [[]], [null], { '\0': '\0' }, { __proto__: 'x' }, 'application/\0json', 'a/b; c=d'],
  ),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
)

const subject = descriptorOf('subject', OCI_MANIFEST)
const VALID: readonly [type: string, body: string][] = [
  [
    OCI_MANIFEST,
    imageManifest('{}', ['layer'], { subject, artifactType: 'a/b', annotations: { a: 'b' } }),
  ],
  [
    OCI_INDEX,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      artifactType: 'a/b',
      manifests: [{ ...subject, platform: { os: 'linux', architecture: 'amd64' } }],
      annotations: { a: 'b' },
      subject,
    }),
  ],
]

/** Every place in a value, as the way to it. */
function placesIn(value: Json, path: string[] = []): string[][] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return [path, ...inner.flatMap(([name, child]) => placesIn(child, [...path, name]))]
}

/** A copy with something else in one place; undefined: nothing at all. */
function changed(value: Json, [name, ...rest]: string[], to: Json | undefined): Json | undefined {
  if (name === undefined || typeof value !== 'object' || value === null) return to
  const copy = Array.isArray(value) ? [...value] : { ...value }
  const inside = copy as Record<string, Json>
  const inner = changed(inside[name] ?? null, rest, to)
  if (inner === undefined) delete inside[name]
  else inside[name] = inner
  return copy
}

const mutated = fc.constantFrom(...VALID).chain(([type, body]) => {
  const value = JSON.parse(body) as Json
  return fc
    .tuple(fc.constantFrom(...placesIn(value)), fc.option(anyJson, { nil: undefined }))
    .map(([place, to]) => ({ type, body: JSON.stringify(changed(value, place, to)) ?? '' }))
})

const cut = fc
  .tuple(fc.constantFrom(...VALID), fc.nat(2_000), fc.uint8Array({ maxLength: 4 }))
  .map(([[type, body], at, noise]) => {
    const bytes = Buffer.from(body)
    const where = at % bytes.length
    const parts = [bytes.subarray(0, where), noise, bytes.subarray(where + noise.length)]
    return { type, body: Buffer.concat(parts) }
  })

const anything = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(OCI_MANIFEST, OCI_INDEX, '', 'text/html', 'application/json'),
      printable(30),
    ),
    fc.oneof(
      anyJson.map((value) => JSON.stringify(value)),
      fc.uint8Array({ maxLength: 300 }),
    ),
  )
  .map(([type, body]) => ({ type, body }))

describe.each(['sqlite', 'postgres'] as const)('manifests that are none, on %s', (engine) => {
  let server: TestServer
  let database: TestDatabase | undefined
  let attempt: Try
  beforeAll(async () => {
    database = engine === 'postgres' ? await createPostgresTest() : undefined
    const url = database?.location.url
    server = await startTestServer(url ? { ENTREPOT_DATABASE_URL: url } : {})
    const admin = await server.accounts.users.find('admin')
    const { token } = await server.accounts.apiTokens.create(admin?.id ?? 0, { name: 'bad input' })
    attempt = createTry(server, `Bearer ${token}`)
    const wire = server.connect()
    for (const bytes of ['{}', 'layer']) await pushBlob(wire, server.admin, 'team/a', bytes)
  })
  afterAll(async () => {
    await server.stop()
    await database?.remove()
  })

  test.each([
    ['with something else in one place', mutated, 500],
    ['with other bytes in one place', cut, 200],
    ['of anything', anything, 200],
  ])('%s', async (_, bodies, numRuns) => {
    await fc.assert(
      fc.asyncProperty(bodies, async ({ type, body }) => {
        const headers = { 'content-type': type.trim() }
        const path = '/v2/team/a/manifests/tried'
        const put = await attempt('PUT', path, { headers, body })
        // What was taken is served as it came, and its referrers can be listed.
        if (put.status === 201) {
          const got = await attempt('GET', path)
          expect(got.body.equals(Buffer.from(body))).toBeTrue()
          expect((await attempt('GET', `/v2/team/a/referrers/${subject.digest}`)).status).toBe(200)
        } else {
          expect([400, 404]).toContain(put.status)
        }
      }),
      { ...RUNS, numRuns },
    )
  })

  test('of ten thousand children, and one more', async () => {
    const manifests = Array.from({ length: 10_001 }, (_, i) => ({
      mediaType: OCI_MANIFEST,
      digest: `sha256:${i.toString(16).padStart(64, '0')}`,
      size: 1,
    }))
    for (const [count, status] of [
      [10_000, 201],
      [10_001, 400],
    ] as const) {
      const body = JSON.stringify({ schemaVersion: 2, manifests: manifests.slice(0, count) })
      const headers = { 'content-type': OCI_INDEX }
      const answer = await attempt('PUT', '/v2/team/a/manifests/many', { headers, body })
      expect([count, answer.status]).toEqual([count, status])
    }
  })

  test('of ten thousand times the same child', async () => {
    const manifests = Array.from({ length: 10_000 }, () => subject)
    const body = JSON.stringify({ schemaVersion: 2, manifests })
    const headers = { 'content-type': OCI_INDEX }
    const answer = await attempt('PUT', '/v2/team/a/manifests/same', { headers, body })
    expect(answer.status).toBe(201)
  })
})
