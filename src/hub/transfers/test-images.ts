import { type Digest, toDigest } from '../../oci/digest.ts'
import type { Json, JsonObject } from '../../oci/json.ts'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import type { ManifestContent } from '../../oci/registry.ts'
import type { MemoryRegistry } from './test-memory-registry.ts'

/* Images of every shape for the tests of copies, put into a registry in memory. */

export const sha256 = (bytes: Uint8Array): Digest =>
  toDigest('sha256', Bun.CryptoHasher.hash('sha256', bytes, 'hex'))

/** Bytes of their own for each name. */
export function bytesOf(name: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let x = Number(Bun.hash(name) & 0xffffffffn)
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0
    bytes[i] = x >>> 24
  }
  return bytes
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

function descriptorOf(bytes: Uint8Array, mediaType = LAYER): JsonObject {
  return { mediaType, digest: sha256(bytes), size: bytes.length }
}

export function refTo({ digest, mediaType, bytes }: ManifestContent): JsonObject {
  return { mediaType, digest, size: bytes.length }
}

export function manifestOf(mediaType: string, fields: JsonObject): ManifestContent {
  const body = { schemaVersion: 2, mediaType, ...fields }
  const bytes = new TextEncoder().encode(JSON.stringify(body))
  return { digest: sha256(bytes), mediaType, bytes }
}

export interface Builder {
  blob(bytes: Uint8Array, mediaType?: string): JsonObject
  image(layers: readonly Uint8Array[], more?: JsonObject, tag?: string): ManifestContent
  index(children: readonly Json[], more?: JsonObject, tag?: string): ManifestContent
}

/** Puts content into a repository of the registry as a push would. */
export function buildIn(registry: MemoryRegistry, name: string): Builder {
  const { blobs, manifests, tags } = registry.repository(name)
  function keep(content: ManifestContent, tag: string | undefined): ManifestContent {
    manifests.set(content.digest, content)
    if (tag !== undefined) tags.set(tag, content.digest)
    return content
  }
  function blob(bytes: Uint8Array, mediaType?: string): JsonObject {
    blobs.set(sha256(bytes), bytes)
    return descriptorOf(bytes, mediaType)
  }
  return {
    blob,
    image(layers, more = {}, tag) {
      const configBytes = new TextEncoder().encode(JSON.stringify({ layers: layers.map(sha256) }))
      const config = blob(configBytes, 'application/vnd.oci.image.config.v1+json')
      const fields = { config, layers: layers.map((bytes) => blob(bytes)), ...more }
      return keep(manifestOf(MEDIA_TYPE.ociManifest, fields), tag)
    },
    index(children, more = {}, tag) {
      return keep(manifestOf(MEDIA_TYPE.ociIndex, { manifests: [...children], ...more }), tag)
    },
  }
}

export const on = (manifest: ManifestContent, platform: string): JsonObject => {
  const [os = '', architecture = '', variant] = platform.split('/')
  return { ...refTo(manifest), platform: { os, architecture, ...(variant ? { variant } : {}) } }
}
