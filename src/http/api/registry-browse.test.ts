import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

const AS_ROOT = { as: 'root' }
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const CONFIG = JSON.stringify({
  os: 'linux',
  architecture: 'arm64',
  variant: 'v8',
  created: '2026-01-02T03:04:05Z',
})
const IMAGE = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.ociManifest,
  config: { mediaType: 'application/json', digest: digestOf(CONFIG), size: CONFIG.length },
  layers: [{ mediaType: 'application/x', digest: digestOf('layer'), size: 1000 }],
})
const ATTESTATION = {
  mediaType: MEDIA_TYPE.ociManifest,
  digest: digestOf('attestation'),
  size: 10,
  annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
}
const INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: MEDIA_TYPE.ociIndex,
  manifests: [
    {
      mediaType: MEDIA_TYPE.ociManifest,
      digest: digestOf(IMAGE),
      size: IMAGE.length,
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    },
    ATTESTATION,
  ],
})

onEachEngine('trying and browsing a registry of others', (create) => {
  let api: TestApi
  let server: ReturnType<typeof Bun.serve>
  let asked: string[]
  let authorizations: Set<string | null>

  beforeEach(async () => {
    api = await createTestApi(create)
    asked = []
    authorizations = new Set()
    const manifests: Record<string, [string, string]> = {
      one: [MEDIA_TYPE.ociManifest, IMAGE],
      [digestOf(IMAGE)]: [MEDIA_TYPE.ociManifest, IMAGE],
      all: [MEDIA_TYPE.ociIndex, INDEX],
      broken: [MEDIA_TYPE.ociManifest, '{"schemaVersion":2,"layers":[{"size":-1}]}'],
    }
    server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch(request) {
        const { pathname } = new URL(request.url)
        asked.push(`${request.method} ${pathname}`)
        authorizations.add(request.headers.get('authorization'))
        if (pathname === '/v2/') return new Response('{}')
        if (pathname === '/v2/_catalog') {
          return Response.json({ repositories: ['team/web', 'team/api', 'other/x', 'team/Api2'] })
        }
        if (pathname === '/v2/team/api/tags/list') {
          const attached = `${digestOf('x').replace(':', '-')}.sig`
          return Response.json({ tags: ['b', 'a', attached, 'all', 'one'] })
        }
        const manifest = manifests[pathname.replace('/v2/team/api/manifests/', '')]
        if (manifest) return new Response(manifest[1], { headers: { 'content-type': manifest[0] } })
        if (pathname === `/v2/team/api/blobs/${digestOf(CONFIG)}`) return new Response(CONFIG)
        return Response.json({ errors: [{ code: 'NAME_UNKNOWN' }] }, { status: 404 })
      },
    })
  })
  afterEach(async () => {
    await server.stop(true)
    await api.remove()
  })

  const add = async (settings: object = {}) => {
    const body = {
      name: 'one',
      provider: 'native',
      address: `http://127.0.0.1:${server.port}`,
      namespace: 'team',
      ...settings,
    }
    const made = await api.expect(201, 'POST', '/registries', { ...AS_ROOT, body })
    return `/registries/${made.body.id}`
  }
  const namesAt = async (path: string) => {
    const { body } = await api.expect(200, 'GET', path, AS_ROOT)
    return { names: body.items.map(({ name }) => name), next: body.next, complete: body.complete }
  }

  test('repositories of its namespace, in pages, searched, asked for once', async () => {
    const path = `${await add()}/repositories`
    const first = await namesAt(`${path}?limit=2`)
    expect(first).toEqual({ names: ['team/Api2', 'team/api'], next: 'team/api', complete: true })
    expect((await namesAt(`${path}?limit=2&after=team/api`)).names).toEqual(['team/web'])
    expect((await namesAt(`${path}?nameHas=API`)).names).toEqual(['team/Api2', 'team/api'])
    expect(asked.filter((line) => line.includes('_catalog'))).toHaveLength(1)
  })

  test('tags without what tools attached, and the images behind them', async () => {
    const path = await add()
    const tags = await namesAt(`${path}/tags?repository=team/api`)
    expect(tags.names).toEqual(['a', 'all', 'b', 'one'])
    const one = await api.expect(
      200,
      'GET',
      `${path}/image?repository=team/api&reference=one`,
      AS_ROOT,
    )
    expect(one.body as object).toEqual({
      digest: digestOf(IMAGE),
      mediaType: MEDIA_TYPE.ociManifest,
      artifactType: 'application/json',
      size: IMAGE.length + CONFIG.length + 1000,
      createdAt: Date.parse('2026-01-02T03:04:05Z'),
      platforms: ['linux/arm64/v8'],
      isIndex: false,
      images: [],
    })
    const all = await api.expect(
      200,
      'GET',
      `${path}/image?repository=team/api&reference=all`,
      AS_ROOT,
    )
    const size = IMAGE.length + CONFIG.length + 1000
    expect(all.body).toMatchObject({
      isIndex: true,
      size: INDEX.length + size,
      platforms: ['linux/arm64/v8'],
      images: [{ digest: digestOf(IMAGE), platform: 'linux/arm64/v8', size }],
    })
    await api.expect(404, 'GET', `${path}/image?repository=team/api&reference=none`, AS_ROOT)
    await api.expect(502, 'GET', `${path}/image?repository=team/api&reference=broken`, AS_ROOT)
    await api.expect(400, 'GET', `${path}/image?repository=../x&reference=one`, AS_ROOT)
    await api.expect(400, 'GET', `${path}/tags?repository=Team`, AS_ROOT)
    const outside = await api.expect(403, 'GET', `${path}/tags?repository=other/x`, AS_ROOT)
    expect(outside.body.detail).toContain('namespace "team" only')
  })

  test('only those whose projects may use it look around', async () => {
    await api.accounts.createProject('mine')
    const path = await add({ projects: ['mine'] })
    await api.accounts.createUser('alice')
    await api.expect(404, 'GET', `${path}/repositories`, { as: 'alice' })
    expect(asked).toEqual([])
  })

  test('a test before storing sends what the body says, and nothing that is stored', async () => {
    const path = await add({ accessKey: 'ci', secretKey: 'planted' })
    authorizations.clear()
    const body = { provider: 'native', address: `http://127.0.0.1:${server.port}`, accessKey: 'ci' }
    const { body: report } = await api.expect(200, 'POST', '/registries/test', { ...AS_ROOT, body })
    expect(report.ok).toBe(true)
    expect([...authorizations].join()).not.toContain(btoa('ci:planted'))
    const run = await api.expect(200, 'POST', `${path}/test`, AS_ROOT)
    expect([...authorizations]).toContain(`Basic ${btoa('ci:planted')}`)
    expect(run.text).not.toContain('planted')
    const stored = await api.expect(200, 'GET', `${path}/test`, AS_ROOT)
    expect(stored.body as object).toEqual(run.body)
    expect((await api.expect(200, 'GET', path, AS_ROOT)).body).toMatchObject({ health: 'ok' })
  })

  test('what is wrong is said before anybody is asked', async () => {
    const bad = { provider: 'native', address: 'nowhere' }
    await api.expect(400, 'POST', '/registries/test', { ...AS_ROOT, body: bad })
    await api.expect(404, 'POST', `/registries/${'0'.repeat(24)}/test`, AS_ROOT)
    const path = await add()
    await api.expect(404, 'GET', `${path}/test`, AS_ROOT)
    expect(asked).toEqual([])
  })
})
