import { createHash } from 'node:crypto'
import { MEDIA_TYPE } from '../../oci/media-types.ts'

/* Images that are made up when they are asked for: equal seeds make equal images. */

export interface MadeImage {
  digest: string
  type: string
  body: string
  /** Bytes of config and layers; of an index those of its images. */
  size: number
  platform: { os: string; architecture: string; variant?: string }
  created: string
  /** Of an index; the last one is an attestation. */
  children: MadeImage[]
}

export const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

/** Told of everything that has a digest. */
export type Keep = (digest: string, content: { body: string; type: string }) => void

const LAYER_SIZE = 1_000

/**
 * `isMulti`: an index for two platforms with an attestation; `isArm`: an image whose platform has a
 * variant.
 */
export function makeImage(
  {
    seed,
    created,
    isMulti,
    isArm = false,
  }: { seed: string; created: string; isMulti: boolean; isArm?: boolean },
  keep: Keep = () => {},
): MadeImage {
  if (!isMulti) {
    const platform = { os: 'linux', ...(isArm ? { architecture: 'arm', variant: 'v7' } : AMD64) }
    return makeSingle(seed, created, platform, keep)
  }
  const children = [
    makeSingle(`${seed}:amd64`, created, { os: 'linux', ...AMD64 }, keep),
    makeSingle(`${seed}:arm64`, created, { os: 'linux', architecture: 'arm64' }, keep),
    makeSingle(`${seed}:attestation`, created, { os: 'unknown', architecture: 'unknown' }, keep),
  ]
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: children.map(({ digest, body, platform }) => ({
      mediaType: MEDIA_TYPE.ociManifest,
      digest,
      size: body.length,
      platform,
      ...(platform.os === 'unknown'
        ? { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } }
        : {}),
    })),
  })
  const digest = sha256(body)
  keep(digest, { body, type: MEDIA_TYPE.ociIndex })
  const size = children.slice(0, 2).reduce((sum, child) => sum + child.size, 0)
  const platform = { os: '', architecture: '' }
  return { digest, type: MEDIA_TYPE.ociIndex, body, size, platform, created, children }
}

const AMD64 = { architecture: 'amd64' }

function makeSingle(
  seed: string,
  created: string,
  platform: MadeImage['platform'],
  keep: Keep,
): MadeImage {
  const config = JSON.stringify({ ...platform, created, config: {}, rootfs: {} })
  const configDigest = sha256(config)
  keep(configDigest, { body: config, type: 'application/octet-stream' })
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: configDigest,
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: sha256(seed),
        size: LAYER_SIZE,
      },
    ],
  })
  const digest = sha256(body)
  keep(digest, { body, type: MEDIA_TYPE.ociManifest })
  const size = config.length + LAYER_SIZE
  return { digest, type: MEDIA_TYPE.ociManifest, body, size, platform, created, children: [] }
}
