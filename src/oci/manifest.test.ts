import { describe, expect, test } from 'bun:test'
import { EMPTY_SHA256 } from './digest.ts'
import { MANIFEST_SIZE_LIMIT, ManifestError, mayBeAbsent, parseManifest } from './manifest.ts'
import { MEDIA_TYPE } from './media-types.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList } = MEDIA_TYPE
const one = { mediaType: 'application/x', digest: EMPTY_SHA256, size: 0 }
const image = { schemaVersion: 2, config: one, layers: [one] }
const index = { schemaVersion: 2, manifests: [one] }

const encode = (body: unknown) =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body))
const parse = (body: unknown, contentType = '') => parseManifest(encode(body), contentType)

/** What the sentence says after "the manifest is invalid". */
function refusal(body: unknown, contentType = ''): string {
  try {
    parse(body, contentType)
  } catch (error) {
    if (error instanceof ManifestError) return error.message
    throw error
  }
  return ''
}

describe('a manifest', () => {
  test('of an image has the edges of its config, layers and subject, in their order', () => {
    const parsed = parse({ ...image, subject: { ...one, mediaType: ociManifest } }, ociManifest)
    expect(parsed.kind).toBe('image')
    expect(parsed.mediaType).toBe(ociManifest)
    expect(parsed.artifactType).toBe('application/x')
    expect(parsed.edges.map((edge) => edge.kind)).toEqual(['config', 'layer', 'subject'])
    expect(parsed.subject?.digest).toBe(EMPTY_SHA256)
  })

  test('of an index has the edges of its manifests', () => {
    const parsed = parse({ ...index, artifactType: 'a/b', annotations: { k: 'v' } }, ociIndex)
    expect(parsed.kind).toBe('index')
    expect(parsed.artifactType).toBe('a/b')
    expect(parsed.annotations).toEqual({ k: 'v' })
    expect(parsed.edges.map((edge) => edge.kind)).toEqual(['manifest'])
    expect(parse(index).artifactType).toBeUndefined()
    expect(parse({ ...index, manifests: [] }, ociIndex).edges).toEqual([])
  })

  test('keeps the fields of descriptors that we do not know', () => {
    const layer = { ...one, 'x-y': [1], urls: ['https://a/b'], platform: { os: 'linux' } }
    const [, edge] = parse({ ...image, layers: [layer] }).edges
    expect(edge?.descriptor.raw).toEqual(layer)
    expect(edge?.descriptor.urls).toEqual(['https://a/b'])
  })

  test('may have no layers, also as null', () => {
    expect(parse({ ...image, layers: [] }).edges.length).toBe(1)
    expect(parse({ ...image, layers: null }).edges.length).toBe(1)
    expect(parse({ schemaVersion: 2, config: one }).edges.length).toBe(1)
  })

  test('refers to the same thing as often as it likes', () => {
    const many = { ...index, manifests: Array.from({ length: 10_000 }, () => one) }
    expect(parse(many).edges.length).toBe(10_000)
    expect(refusal({ ...index, manifests: [...many.manifests, one] })).toContain('10001 entries')
    expect(refusal({ ...image, layers: Array.from({ length: 10_001 }, () => one) })).toContain(
      '10001 entries',
    )
  })

  test('of 4 MiB is read', () => {
    const body = { ...image, annotations: {} as Record<string, string> }
    for (let i = 0; i < 100_000; i++) body.annotations[`key-${i}`] = 'value'
    const text = JSON.stringify(body)
    const whole = text + ' '.repeat(MANIFEST_SIZE_LIMIT - text.length)
    expect(Object.keys(parse(whole).annotations ?? {}).length).toBe(100_000)
    expect(parse({ ...image, pad: 'x'.repeat(MANIFEST_SIZE_LIMIT - text.length) }).kind).toBe(
      'image',
    )
  })
})

describe('the type of a manifest', () => {
  test('is its own, else that of the header, else that of its shape', () => {
    expect(parse({ ...image, mediaType: ociManifest }).mediaType).toBe(ociManifest)
    expect(parse(image, dockerManifest).mediaType).toBe(dockerManifest)
    expect(parse(index, `${dockerList}; charset=utf-8`).mediaType).toBe(dockerList)
    expect(parse(image).mediaType).toBe(ociManifest)
    expect(parse(index, 'application/json').mediaType).toBe(ociIndex)
    expect(parse(image, 'application/vnd.acme.thing+json').mediaType).toBe(
      'application/vnd.acme.thing+json',
    )
  })

  test('is compared without regard to case, and stays as it was written', () => {
    const mediaType = 'application/vnd.Acme.Thing+json'
    expect(parse({ ...image, mediaType }, mediaType).mediaType).toBe(mediaType)
    expect(parse({ ...image, mediaType }, mediaType.toUpperCase()).mediaType).toBe(mediaType)
  })

  test('must be the same in header and body', () => {
    expect(refusal({ ...image, mediaType: ociManifest }, dockerManifest)).toContain('Content-Type')
    expect(refusal({ ...index, mediaType: ociIndex }, ociManifest)).toContain('Content-Type')
  })

  test('must fit the content', () => {
    expect(refusal(index, ociManifest)).toContain('does not fit')
    expect(refusal(image, ociIndex)).toContain('does not fit')
    expect(refusal({ ...image, mediaType: dockerList })).toContain('does not fit')
  })

  test('must be one of an application', () => {
    for (const type of [
      'text/html',
      'application/',
      'application/a b',
      'x',
      `application/${'a'.repeat(300)}`,
    ]) {
      expect(refusal(image, type)).toContain('not a media type')
    }
    expect(refusal({ ...image, mediaType: 'application/a\nb' })).toContain('not a media type')
  })

  test('may not be schema 1', () => {
    const schema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
    for (const [body, type] of [
      [{ schemaVersion: 1, name: 'a', fsLayers: [] }, ''],
      [{ ...image, schemaVersion: 1 }, ociManifest],
      [image, schema1],
      [{ ...image, mediaType: schema1 }, ''],
    ] as const) {
      expect(refusal(body, type)).toContain('schema 1')
    }
  })
})

describe('a manifest is refused', () => {
  const cases: [why: string, body: unknown, message: string][] = [
    ['layers and manifests', { ...image, ...index }, 'also'],
    ['manifests and a config', { ...index, config: one }, 'also'],
    ['manifests and layers of null', { ...index, layers: null }, 'also'],
    ['neither', { schemaVersion: 2 }, 'neither'],
    ['no schemaVersion', { config: one, layers: [] }, 'schemaVersion'],
    ['schemaVersion as text', { ...image, schemaVersion: '2' }, 'schemaVersion'],
    ['schemaVersion 3', { ...image, schemaVersion: 3 }, 'schemaVersion'],
    ['no config', { schemaVersion: 2, layers: [one] }, 'config is not'],
    ['a config of null', { ...image, config: null }, 'config is not'],
    ['a list as config', { ...image, config: [one] }, 'config is not'],
    ['an object as layers', { ...image, layers: { 0: one } }, 'not a list'],
    ['a text as manifests', { ...index, manifests: 'x' }, 'not a list'],
    ['null in the layers', { ...image, layers: [null] }, 'layers[] is not'],
    ['a digest as a child', { ...index, manifests: [EMPTY_SHA256] }, 'manifests[] is not'],
    ['a text as subject', { ...image, subject: 'x' }, 'subject is not'],
    ['a subject without a digest', { ...image, subject: { size: 1 } }, 'subject has no valid'],
    ['a number as mediaType', { ...image, mediaType: 1 }, 'not a string'],
    ['a number as artifactType', { ...image, artifactType: 1 }, 'not a string'],
    ['a number as a digest', { ...image, config: { ...one, digest: 1 } }, 'not a string'],
    ['a list as annotations', { ...image, annotations: [] }, 'not an object'],
    ['a number as annotation', { ...image, annotations: { a: 1 } }, 'not a string'],
    [
      'null as annotation',
      { ...image, config: { ...one, annotations: { a: null } } },
      'not a string',
    ],
    ['a list', [image], 'not a JSON object'],
    ['a text', '"x"', 'not a JSON object'],
    ['null', 'null', 'not a JSON object'],
    ['nothing', '', 'not valid JSON'],
    ['trailing bytes', `${JSON.stringify(image)}x`, 'not valid JSON'],
    ['two documents', JSON.stringify(image).repeat(2), 'not valid JSON'],
    ['a byte order mark', `\ufeff${JSON.stringify(image)}`, 'byte order mark'],
    ['layers twice', JSON.stringify(image).replace('{', '{"layers":[],'), 'twice'],
    ['layers twice, escaped', JSON.stringify(image).replace('{', '{"\\u006cayers":[],'), 'twice'],
    ['a NUL in a digest', { ...image, config: { ...one, digest: 'a:b\0' } }, 'NUL'],
    ['10,000 levels', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, 'deeper'],
  ]
  for (const [why, body, message] of cases) {
    test(`for ${why}`, () => expect(refusal(body)).toContain(message))
  }

  const digests = [
    '',
    'sha256',
    EMPTY_SHA256.toUpperCase(),
    EMPTY_SHA256.replace(/[a-f]/g, (letter) => letter.toUpperCase()),
    EMPTY_SHA256.slice(0, -1),
    `${EMPTY_SHA256}0`,
    EMPTY_SHA256.replace('256', '512'),
    'sha256:../../../../etc/passwd',
    'md6:a/b',
  ]
  for (const digest of digests) {
    test(`for the digest ${JSON.stringify(digest)}`, () => {
      expect(refusal({ ...image, config: { ...one, digest } })).toContain('no valid digest')
      expect(refusal({ ...index, manifests: [{ ...one, digest }] })).toContain('no valid digest')
    })
  }

  const sizes = [
    '-1',
    '1.5',
    '9007199254740992',
    '1e400',
    '-1e400',
    '"1"',
    'null',
    'true',
    '[]',
    '18446744073709551615',
  ]
  for (const size of sizes) {
    test(`for the size ${size}`, () => {
      const body = JSON.stringify(image).replace('"size":0', `"size":${size}`)
      expect(refusal(body)).toContain('the size of config')
    })
  }

  test('not for the largest size, nor for one written in another way', () => {
    for (const size of ['9007199254740991', '1e3', '0.0']) {
      expect(refusal(JSON.stringify(image).replaceAll('"size":0', `"size":${size}`))).toBe('')
    }
  })

  test('not for a digest of an algorithm that nobody here computes', () => {
    const layer = { ...one, digest: 'blake3:0123abcDEF' }
    expect(parse({ ...image, layers: [layer] }).edges[1]?.descriptor.digest).toBe(
      'blake3:0123abcDEF',
    )
  })
})

describe('what an edge leads to may be absent', () => {
  const absent = (kind: 'config' | 'layer' | 'manifest' | 'subject', more: object = {}) =>
    mayBeAbsent({ kind, descriptor: { ...one, raw: {}, ...more } })

  test('when it is a subject', () => expect(absent('subject')).toBe(true))

  test('when it is a layer that is not distributed, or says where it is', () => {
    for (const mediaType of [
      'application/vnd.oci.image.layer.nondistributable.v1.tar',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ]) {
      expect(absent('layer', { mediaType })).toBe(true)
      expect(absent('config', { mediaType })).toBe(false)
    }
    expect(absent('layer', { urls: ['https://a'] })).toBe(true)
    expect(absent('config', { urls: ['https://a'] })).toBe(false)
  })

  test('and not otherwise', () => {
    for (const kind of ['config', 'layer', 'manifest'] as const) expect(absent(kind)).toBe(false)
    expect(absent('layer', { urls: [] })).toBe(false)
    expect(absent('layer', { urls: [1, null].filter((url) => typeof url === 'string') })).toBe(
      false,
    )
  })
})
