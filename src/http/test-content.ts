import { randomBytes } from 'node:crypto'
import type { Wire } from './test-wire.ts'

/* Content to push, and the shortest way to push it. */

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'

export function digestOf(
  bytes: Uint8Array | string,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): string {
  return `${algorithm}:${Bun.CryptoHasher.hash(algorithm, bytes, 'hex')}`
}

export function randomBlob(size: number): Buffer {
  return randomBytes(size)
}

export function descriptorOf(bytes: Uint8Array | string, mediaType: string) {
  return { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) }
}

/** In one request. */
export async function pushBlob(
  wire: Wire,
  as: string,
  repository: string,
  bytes: Uint8Array | string,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): Promise<string> {
  const digest = digestOf(bytes, algorithm)
  const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`
  const answer = await wire.request('POST', path, { as, body: bytes })
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text()}`)
  return digest
}

export interface PushedImage {
  manifest: string
  digest: string
  /** Of its config and its layer. */
  blobs: string[]
}

/** An image of one small layer, unlike any other, under `tag`. */
export async function pushImage(
  wire: Wire,
  as: string,
  repository: string,
  tag: string,
  more: Record<string, unknown> = {},
): Promise<PushedImage> {
  const config = JSON.stringify({ made: randomBlob(8).toString('hex') })
  const layer = randomBlob(64)
  const blobs = [
    await pushBlob(wire, as, repository, config),
    await pushBlob(wire, as, repository, layer),
  ]
  const manifest = imageManifest(config, [layer], more)
  const path = `/v2/${repository}/manifests/${tag}`
  const headers = { 'content-type': OCI_MANIFEST }
  const answer = await wire.request('PUT', path, { as, headers, body: manifest })
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text()}`)
  return { manifest, digest: digestOf(manifest), blobs }
}

export function imageManifest(
  config: Uint8Array | string,
  layers: readonly (Uint8Array | string)[],
  more: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorOf(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')),
    ...more,
  })
}
