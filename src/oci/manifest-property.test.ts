import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { EMPTY_SHA256 } from './digest.ts'
import { ManifestError, parseManifest } from './manifest.ts'
import { MEDIA_TYPE } from './media-types.ts'

const { ociManifest, ociIndex, dockerManifest, dockerList } = MEDIA_TYPE
const one = { mediaType: 'application/x', digest: EMPTY_SHA256, size: 0 }
const image = { schemaVersion: 2, config: one, layers: [one] }

const encode = (body: unknown) => new TextEncoder().encode(JSON.stringify(body))

describe('whatever comes', () => {
  const contentType = fc.oneof(
    fc.constantFrom('', 'application/json', ociManifest, ociIndex, dockerManifest, dockerList),
    fc.string(),
  )

  function fails(bytes: Uint8Array, type: string): boolean {
    try {
      parseManifest(bytes, type)
      return false
    } catch (error) {
      expect(error).toBeInstanceOf(ManifestError)
      return true
    }
  }

  test('as bytes, the answer is a manifest or a ManifestError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), contentType, (bytes, type) => {
        fails(bytes, type)
      }),
      { numRuns: 500 },
    )
  })

  test('as JSON with the right names and any values, too', () => {
    const anything = fc.jsonValue({ maxDepth: 3 })
    const descriptor = fc.oneof(
      anything,
      fc.record(
        {
          mediaType: fc.oneof(fc.constant('application/x'), anything),
          digest: fc.oneof(fc.constant(EMPTY_SHA256), anything),
          size: fc.oneof(fc.nat(), fc.double(), anything),
          urls: anything,
          annotations: anything,
        },
        { requiredKeys: [] },
      ),
    )
    const body = fc.record(
      {
        schemaVersion: fc.oneof(fc.constant(2), anything),
        mediaType: fc.oneof(fc.constantFrom(ociManifest, ociIndex), anything),
        artifactType: anything,
        config: descriptor,
        layers: fc.oneof(fc.array(descriptor), anything),
        manifests: fc.oneof(fc.array(descriptor), anything),
        subject: descriptor,
        annotations: fc.oneof(fc.dictionary(fc.string(), fc.string()), anything),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(body, contentType, (value, type) => {
        fails(encode(value), type)
      }),
      { numRuns: 2000 },
    )
  })

  test('cut off anywhere, is no manifest', () => {
    const bytes = encode({ ...image, annotations: { 'a"\\': '\u{1f600}' } })
    for (let length = 0; length < bytes.length; length++) {
      expect(fails(bytes.subarray(0, length), '')).toBe(true)
    }
    expect(fails(bytes, '')).toBe(false)
  })
})
