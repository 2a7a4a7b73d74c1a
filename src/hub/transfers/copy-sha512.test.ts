import { expect, test } from 'bun:test'
import { toDigest } from '../../oci/digest.ts'
import { copyImage } from './copy-image.ts'
import type { CopyRequest } from './copy-types.ts'
import { buildIn, bytesOf } from './test-images.ts'
import { createMemoryRegistry } from './test-memory-registry.ts'

test('what is named by a sha512 is there by it, since a tag alone would bring a sha256', async () => {
  const [here, there] = [createMemoryRegistry(), createMemoryRegistry()]
  const image = buildIn(here, 'app').image([bytesOf('layer', 5_000)])
  const digest = toDigest('sha512', Bun.CryptoHasher.hash('sha512', image.bytes, 'hex'))
  here.repository('app').manifests.set(digest, { ...image, digest })
  const of = { repository: 'app', label: 'app' }
  const request: CopyRequest = {
    source: { ...of, registry: here, reference: { kind: 'digest', digest } },
    target: { ...of, registry: there, tag: '1.0' },
    referrers: true,
    overwrite: false,
  }
  await copyImage(request)
  expect(there.written.slice(-2)).toEqual([`manifest ${digest}`, 'tag 1.0'])

  // As a registry that is told a tag and no digest knows it: no other image.
  there.repository('app').manifests.set(image.digest, image)
  there.repository('app').tags.set('1.0', image.digest)
  await copyImage(request)
  const other = buildIn(there, 'app').image([bytesOf('other', 5_000)], {}, '1.0')
  await expect(copyImage(request)).rejects.toThrow(other.digest)
})
