import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { digestOf, OCI_INDEX, OCI_MANIFEST, pushBlob, pushImage } from '../test-content.ts'
import type { Wire } from '../test-wire.ts'
import { startTestCcr, type TestCcr } from './test-ccr.ts'

setDefaultTimeout(60_000)

/* What lists of artifacts show, and which artifacts cannot be deleted. */

let ccr: TestCcr
let wire: Wire
beforeAll(async () => {
  ccr = await startTestCcr()
  wire = ccr.connect()
  await ccr.ok('POST', '/projects', { name: 'shop' })
})
afterAll(() => ccr.stop())

describe('artifacts', () => {
  const LIST = '/projects/shop/repositories/art/artifacts'

  async function put(reference: string, manifest: object, type = OCI_MANIFEST): Promise<string> {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, ...manifest })
    const path = `/v2/shop/art/manifests/${reference}`
    const headers = { 'content-type': type }
    const answer = await wire.request('PUT', path, { as: ccr.admin, headers, body })
    expect(answer.status).toBe(201)
    return digestOf(body)
  }

  async function attach(subject: string, artifactType: string): Promise<string> {
    await pushBlob(wire, ccr.admin, 'shop/art', '{}')
    const empty = {
      mediaType: 'application/vnd.oci.empty.v1+json',
      digest: digestOf('{}'),
      size: 2,
    }
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType,
      config: empty,
      layers: [empty],
      subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 },
    })
    const path = `/v2/shop/art/manifests/${digestOf(body)}`
    const headers = { 'content-type': OCI_MANIFEST }
    const answer = await wire.request('PUT', path, { as: ccr.admin, headers, body })
    expect(answer.status).toBe(201)
    return digestOf(body)
  }

  const find = async (digest: string) =>
    (await ccr.ok('GET', `${LIST}?pageSize=1000`)).artifacts.find((one) => one.digest === digest)

  test('tell of an image what its config says', async () => {
    const config = JSON.stringify({
      architecture: 'arm64',
      os: 'linux',
      author: '作者',
      created: '2023-09-26T11:52:35.091234567Z',
      config: {},
    })
    await pushBlob(wire, ccr.admin, 'shop/art', config)
    const mediaType = 'application/vnd.oci.image.config.v1+json'
    const digest = await put('v1', {
      config: { mediaType, digest: digestOf(config), size: Buffer.byteLength(config) },
      layers: [],
    })
    expect(await find(digest)).toMatchObject({
      extra_attrs: {
        architecture: 'arm64',
        os: 'linux',
        author: '作者',
        created: '2023-09-26T11:52:35.091234567Z',
      },
      media_type: mediaType,
      manifest_media_type: OCI_MANIFEST,
      references: [],
      type: 'IMAGE',
    })
  })

  test('are what they say they are', async () => {
    await pushBlob(wire, ccr.admin, 'shop/art', '{}')
    const config = (mediaType: string) => ({ mediaType, digest: digestOf('{}'), size: 2 })
    const types: [string, object][] = [
      ['CHART', { config: config('application/vnd.cncf.helm.config.v1+json') }],
      ['MODEL', { config: config('application/vnd.acme.model.config.v1+json') }],
      [
        'WASM.PLUGIN',
        {
          artifactType: 'application/vnd.acme.wasm.plugin.v1',
          config: config('application/vnd.oci.empty.v1+json'),
        },
      ],
      ['UNKNOWN', { config: config('text/plain') }],
    ]
    for (const [type, manifest] of types) {
      const digest = await put('typed', { ...manifest, layers: [] })
      const artifact = await find(digest)
      expect(artifact).toMatchObject({ type, icon: '' })
    }
  })

  test('without a tag are listed, the newest first', async () => {
    const first = await pushImage(wire, ccr.admin, 'shop/art', 'moving')
    const second = await pushImage(wire, ccr.admin, 'shop/art', 'moving')
    const { artifacts, total } = await ccr.ok('GET', `${LIST}?pageSize=2`)
    expect(artifacts.map(({ digest }) => digest)).toEqual([second.digest, first.digest])
    expect(artifacts.map(({ tags }) => tags.map(({ name }) => name))).toEqual([['moving'], []])
    expect(total).toBe((await ccr.ok('GET', `${LIST}?pageSize=1000`)).artifacts.length)
  })

  test('hold back what others refer to', async () => {
    const image = await pushImage(wire, ccr.admin, 'shop/art', 'child')
    const index = await put(
      'parent',
      {
        manifests: [{ mediaType: OCI_MANIFEST, digest: image.digest, size: image.manifest.length }],
      },
      OCI_INDEX,
    )
    expect(await ccr.failure('DELETE', `${LIST}/${image.digest}`)).toBe('403 CCR.CodeForbidOperate')
    await ccr.ok('DELETE', `${LIST}/${index}`)
    await ccr.ok('DELETE', `${LIST}/${image.digest.replace(':', '%3A')}`)
    expect(await ccr.failure('DELETE', `${LIST}/${index}`)).toBe('404 CCR.CodeErrNotExists')
  })

  test('that are signed say so and stay', async () => {
    const byTag = await pushImage(wire, ccr.admin, 'shop/art', 'signed-by-tag')
    const bySubject = await pushImage(wire, ccr.admin, 'shop/art', 'signed-by-subject')
    const described = await pushImage(wire, ccr.admin, 'shop/art', 'described')
    const { total } = await ccr.ok('GET', LIST)
    const count = async () =>
      (await ccr.ok('GET', '/projects/shop/repositories/art')).data as { imageTagCount: number }
    const tags = await count()
    const signature = await pushImage(
      wire,
      ccr.admin,
      'shop/art',
      `${byTag.digest.replace(':', '-')}.sig`,
    )
    await attach(bySubject.digest, 'application/vnd.cncf.notary.signature')
    await attach(described.digest, 'application/spdx+json')
    const signed = async (digest: string) => (await find(digest))?.tags.map((tag) => tag.signed)
    expect(await signed(byTag.digest)).toEqual([true])
    expect(await signed(bySubject.digest)).toEqual([true])
    expect(await signed(described.digest)).toEqual([false])
    // None of these is an artifact or a tag of its own.
    expect(await ccr.ok('GET', LIST)).toMatchObject({ total })
    expect(await count()).toEqual(tags)
    for (const { digest } of [byTag, bySubject, described]) {
      expect(await ccr.failure('DELETE', `${LIST}/${digest}`)).toBe('403 CCR.CodeForbidOperate')
    }
    await ccr.ok('DELETE', `${LIST}/${signature.digest}`)
    await ccr.ok('DELETE', `${LIST}/${byTag.digest}`)
  })
})

test('pulls are shown, of the tag only when it was asked for', async () => {
  const { digest } = await pushImage(wire, ccr.admin, 'shop/pulled', 'v1')
  const times = async () => {
    const [artifact] = (await ccr.ok('GET', '/projects/shop/repositories/pulled/artifacts'))
      .artifacts
    return [artifact?.pull_time, artifact?.tags[0]?.pull_time]
  }
  const never = ['0001-01-01 00:00:00', '0001-01-01T00:00:00Z']
  const since = Math.floor(Date.now() / 1000) * 1000
  const pull = (method: string, reference: string) =>
    ccr.connect().request(method, `/v2/shop/pulled/manifests/${reference}`, { as: ccr.admin })
  await pull('HEAD', 'v1')
  // A stop writes what was gathered.
  await ccr.restart()
  expect(await times()).toEqual(never)
  await pull('GET', digest)
  await ccr.restart()
  expect((await times())[1]).toBe('0001-01-01T00:00:00Z')
  await pull('GET', 'v1')
  await ccr.restart()
  const [ofArtifact, ofTag] = await times()
  expect(Date.parse(String(ofTag))).toBeWithin(since, Date.now() + 1)
  expect(Date.parse(`${ofArtifact}+08:00`)).toBe(Date.parse(String(ofTag)))
})
