import { expect, test } from 'bun:test'
import { toDigest } from '../../oci/digest.ts'
import { copyImage } from './copy-image.ts'
import { buildIn, bytesOf } from './test-images.ts'
import { createMemoryRegistry } from './test-memory-registry.ts'

test('what is named by a sha512 is there by it, since a tag alone would bring a sha256', async () => {
  const [here, there] = [createMemoryRegistry(), createMemoryRegistry()]
  const image = buildIn(here, 'app').image([bytesOf('layer', 5_000)])
  const digest = toDigest('sha512', Bun.CryptoHasher.hash('sha512', image.bytes, 'hex'))
  here.repository('app').manifests.set(digest, { ...image, digest })
  const of = { repository: 'app', label: 'app' }
  await copyImage({
    source: { ...of, registry: here, reference: { kind: 'digest', digest } },
    target: { ...of, registry: there, tag: '1.0' },
    referrers: true,
  })
  expect(there.written.slice(-2)).toEqual([`manifest ${digest}`, 'tag 1.0'])
})
