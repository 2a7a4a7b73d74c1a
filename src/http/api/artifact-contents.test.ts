import { afterEach, beforeEach, expect, test } from 'bun:test'
import { chartOf } from '../../charts/test-charts.ts'
import { signatureTag } from '../../oci/accessory.ts'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

const APP = '/projects/payments/repositories/app'

interface Summary {
  digest: string
  totalSize: number
  platform: string | null
  parts: object[]
  attached: object[]
}

onEachEngine('what artifacts are made of', (create) => {
  let api: TestApi
  beforeEach(async () => {
    api = await createTestApi(create)
    await api.accounts.createUser('alice')
    await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name: 'payments' } })
  })
  afterEach(async () => {
    expect(api.failures).toEqual([])
    await api.remove()
  })

  const get = (path: string) => api.expect(200, 'GET', path, { as: 'alice' })
  const tagsOf = async (query: string) =>
    (await get(`${APP}/tags?${query}`)).body.items as unknown as {
      name: string
      artifact: Summary
    }[]

  async function pushIndex() {
    const image = await api.push('payments/app', 'amd64', { annotations: { cpu: 'amd64' } })
    const attestation = await api.push('payments/app', 'att', { annotations: { cpu: 'none' } })
    const sizeOf = async (digest: string) =>
      Number((await get(`${APP}/artifacts/${digest}`)).body.size)
    const type = MEDIA_TYPE.ociManifest
    const [size, attestationSize] = [await sizeOf(image), await sizeOf(attestation)]
    const index = await api.push('payments/app', 'latest', {
      mediaType: MEDIA_TYPE.ociIndex,
      config: undefined,
      layers: undefined,
      manifests: [
        {
          mediaType: type,
          digest: image,
          size,
          platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
        },
        {
          mediaType: type,
          digest: `sha256:${'1'.repeat(64)}`,
          size: 5,
          platform: { os: 'windows', architecture: 'amd64' },
        },
        {
          mediaType: type,
          digest: attestation,
          size: attestationSize,
          platform: { os: 'unknown', architecture: 'unknown' },
          annotations: {
            'vnd.docker.reference.type': 'attestation-manifest',
            'vnd.docker.reference.digest': image,
          },
        },
      ],
    })
    return { image, attestation, index }
  }

  test('tags come with their images, platforms and attestations', async () => {
    const { image, attestation, index } = await pushIndex()
    const [latest] = await tagsOf('nameHas=late')
    expect(latest).toMatchObject({ name: 'latest', pushedBy: 'root', pulledAt: null })
    const parts = latest?.artifact.parts as { totalSize: number }[]
    expect(parts).toMatchObject([
      { digest: image, platform: 'linux/arm/v7', attests: null },
      { platform: 'windows/amd64', totalSize: null, attests: null },
      { digest: attestation, platform: null, attests: image },
    ])
    const own = (await get(`${APP}/artifacts/${index}`)).body.size as number
    const sum = parts.reduce((total, part) => total + (part.totalSize ?? 0), own)
    expect(latest?.artifact.totalSize).toBe(sum)
    const child = await get(`${APP}/artifacts/${image}`)
    expect(child.body).toMatchObject({ parents: [index], tags: ['amd64'] })
  })

  test('an artifact tells its first tags, and how many there are', async () => {
    let digest = ''
    for (let i = 0; i < 60; i++) {
      digest = await api.push('payments/app', `v${String(i).padStart(2, '0')}`)
    }
    const { items } = (await get(`${APP}/artifacts`)).body
    const one = (await get(`${APP}/artifacts/${digest}`)).body
    for (const artifact of [items[0], one]) {
      expect(artifact).toMatchObject({ digest, tagCount: 60 })
      const tags = artifact?.tags as string[]
      expect([tags.length, tags[0], tags.at(-1)]).toEqual([50, 'v00', 'v49'])
    }
    expect(items).toHaveLength(1)
  })

  test('tags are listed by name or the newest first, filtered, in pages', async () => {
    for (const tag of ['b', 'a', 'c']) {
      await api.push('payments/app', tag, { annotations: { tag } })
      api.accounts.pass(1_000)
    }
    await api.push('payments/app', signatureTag(`sha256:${'2'.repeat(64)}`))
    const names = async (query: string) => (await tagsOf(query)).map(({ name }) => name)
    expect(await names('accessories=false')).toEqual(['a', 'b', 'c'])
    expect(await names('accessories=false&sort=newest')).toEqual(['c', 'a', 'b'])
    expect(await names('nameHas=b')).toEqual(['b'])
    expect(await names('')).toHaveLength(4)
    for (const [sort, wanted] of [
      ['newest', ['c', 'a', 'b']],
      ['name', ['a', 'b', 'c']],
    ] as const) {
      const found: string[] = []
      let after = ''
      for (let i = 0; i < 3; i++) {
        const query = `accessories=false&sort=${sort}&limit=1${after && `&after=${after}`}`
        const { body } = await get(`${APP}/tags?${query}`)
        found.push(...body.items.map(({ name }) => name))
        after = body.next ?? ''
      }
      expect([found, after]).toEqual([[...wanted], ''])
    }
    await api.expect(400, 'GET', `${APP}/tags?sort=newest&after=x`, { as: 'alice' })
  })

  test('what is attached is counted by type, and listed', async () => {
    const image = await api.push('payments/app', 'latest')
    const subject = { mediaType: MEDIA_TYPE.ociManifest, digest: image, size: 2 }
    const artifactType = 'application/vnd.example.sbom'
    for (const part of ['1', '2']) {
      await api.push('payments/app', `s${part}`, { subject, artifactType, annotations: { part } })
    }
    const signature = await api.push('payments/app', signatureTag(image), {
      annotations: { s: '' },
    })
    const { body } = await get(`${APP}/artifacts/${image}`)
    expect(body.attached).toEqual([
      { artifactType, count: 2 },
      { artifactType: 'cosign.sig', count: 1 },
    ])
    const referrers = `${APP}/artifacts/${image}/referrers`
    const all = (await get(referrers)).body.items
    expect(all).toMatchObject([
      { digest: signature, artifactType: 'cosign.sig', tag: signatureTag(image) },
      { artifactType, tag: null },
      { artifactType, tag: null },
    ])
    const first = await get(`${referrers}?limit=1`)
    const second = await get(`${referrers}?limit=1&after=${first.body.next}`)
    expect([...first.body.items, ...second.body.items]).toEqual(all)
    await api.expect(400, 'GET', `${referrers}?after=x`, { as: 'alice' })
  })

  test('the text of a manifest is what was pushed', async () => {
    const image = await api.push('payments/app', 'latest', { annotations: { a: 'ü' } })
    const { body } = await get(`${APP}/artifacts/${image}/manifest`)
    const text = String(body.manifest)
    expect(`sha256:${Bun.CryptoHasher.hash('sha256', text, 'hex')}`).toBe(image)
    // The registry of the test takes images without their blobs.
    expect(body.config).toBeNull()
    const absent = `sha256:${'3'.repeat(64)}`
    await api.expect(404, 'GET', `${APP}/artifacts/${absent}/manifest`, { as: 'alice' })
    await api.expect(400, 'GET', `${APP}/artifacts/sha256:xyz/manifest`, { as: 'alice' })
  })

  test('charts are shown as charts', async () => {
    const pusher = { account: null, mayCreateProject: false, publicProject: false }
    const upload = {
      project: 'payments',
      folder: '',
      force: false,
      account: null,
      authorize: async () => pusher,
    }
    for (const version of ['1.2.0', '1.10.0', '2.0.0-rc.1']) {
      const files = { 'README.md': '# Harbour\n', 'values.yaml': 'replicas: 1 # few\n' }
      const yaml = 'appVersion: "7"\ndescription: Ships\n'
      await api.charts.publisher.publish(upload, chartOf({ version, yaml, files }))
    }
    const CHARTS = '/projects/payments/repositories/harbour/chart-versions'
    const versions = async (query: string) => {
      const { body } = await get(`${CHARTS}?${query}`)
      return [body.items.map(({ version }) => String(version)), body.next]
    }
    expect(await versions('')).toEqual([['2.0.0-rc.1', '1.10.0', '1.2.0'], null])
    expect(await versions('limit=2')).toEqual([['2.0.0-rc.1', '1.10.0'], '1.10.0'])
    expect(await versions('limit=2&after=1.10.0')).toEqual([['1.2.0'], null])
    const chart = await get(`${CHARTS}/1.10.0`)
    expect(chart.body).toMatchObject({
      version: '1.10.0',
      appVersion: '7',
      description: 'Ships',
      signed: false,
      deprecated: false,
      readme: '# Harbour\n',
      values: 'replicas: 1 # few\n',
      metadata: { apiVersion: 'v2', name: 'harbour' },
    })
    await api.expect(404, 'GET', `${CHARTS}/9.9.9`, { as: 'alice' })
    expect((await get(`${APP.replace('app', 'none')}/chart-versions`)).body.items).toEqual([])
  })

  test('the overview counts what the caller may see', async () => {
    await api.push('payments/app', 'latest')
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'open', public: true } })
    await api.push('open/web', 'a')
    await api.push('open/web', 'b')
    const seen = async (as: string | undefined) =>
      (await api.expect(200, 'GET', '/overview', { as })).body
    expect(await seen(undefined)).toMatchObject({
      projects: 1,
      repositories: 1,
      tags: 2,
      physicalBytes: null,
      jobs: null,
      largest: [{ name: 'open', public: true, repositoryCount: 1 }],
    })
    expect(await seen('alice')).toMatchObject({ projects: 2, repositories: 2, tags: 3 })
    const ofRoot = await seen('root')
    expect(ofRoot.physicalBytes).toBeGreaterThan(0)
    expect(ofRoot.jobs).toEqual({ running: 0, queued: 0, failed: 0 })
    const { items } = (await get('/projects')).body
    expect(items).toMatchObject([
      { name: 'open', repositoryCount: 1 },
      { name: 'payments', repositoryCount: 1, usage: { logicalBytes: expect.any(Number) } },
    ])
  })
})
