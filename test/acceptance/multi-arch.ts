import { type Blob, blobOf, type RawRegistry, randomBytes, sha256 } from './raw-registry.ts'

/** An index of images for several platforms with what hangs on it, made of random bytes. */
export type MultiArch = {
  readonly index: Manifest
  /** Those below the index first, then what is attached, by digest or under a tag of its own. */
  readonly manifests: readonly Manifest[]
  readonly blobs: readonly Blob[]
}

export type Manifest = Blob & { readonly mediaType: string; readonly tag?: string }

const types = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
}

const descriptor = (blob: Blob, mediaType: string) => ({
  mediaType,
  digest: blob.digest,
  size: blob.bytes.length,
})

const manifest = (mediaType: string, fields: object, tag?: string): Manifest => {
  const text = JSON.stringify({ schemaVersion: 2, mediaType, ...fields })
  return { ...blobOf(new TextEncoder().encode(text)), mediaType, ...(tag ? { tag } : {}) }
}

/**
 * @param layers bytes of the layers of each platform; the first is the same for all of them
 * @param attached false: nothing hangs on it, as registries without a referrers API list it only
 *   when a client keeps its fallback tag
 */
export const multiArchOf = (
  architectures: readonly string[],
  layers: readonly number[],
  { attached = true } = {},
): MultiArch => {
  const blobs: Blob[] = []
  const keep = (blob: Blob): Blob => {
    blobs.push(blob)
    return blob
  }
  const [base = 0, ...own] = layers
  const shared = keep(blobOf(randomBytes(base)))

  const imageOf = (layerBlobs: readonly Blob[], note: string, more: object = {}, tag?: string) => {
    const config = keep(blobOf(new TextEncoder().encode(JSON.stringify({ note }))))
    const fields = {
      config: descriptor(config, types.config),
      layers: layerBlobs.map((blob) => descriptor(blob, types.layer)),
      ...more,
    }
    return manifest(types.manifest, fields, tag)
  }

  const images = architectures.map((architecture) =>
    imageOf([shared, ...own.map((size) => keep(blobOf(randomBytes(size))))], architecture),
  )
  const index = manifest(types.index, {
    manifests: images.map((image, i) => ({
      ...descriptor(image, types.manifest),
      platform: { os: 'linux', architecture: architectures[i] },
    })),
  })
  if (!attached) return { index, manifests: images, blobs }
  const small = (size: number) => [keep(blobOf(randomBytes(size)))]
  const sbom = imageOf(small(900), 'sbom', {
    artifactType: 'application/spdx+json',
    subject: descriptor(index, types.index),
  })
  const ofSbom = imageOf(small(90), 'signature of the sbom', {
    artifactType: 'application/vnd.cncf.notary.signature',
    subject: descriptor(sbom, types.manifest),
  })
  const cosignTag = `${index.digest.replace(':', '-')}.sig`
  const signature = imageOf(small(200), 'signature of cosign', {}, cosignTag)
  return { index, manifests: [...images, sbom, ofSbom, signature], blobs }
}

/** Pushes everything, the index last under `tag`. */
export const pushMultiArch = async (
  registry: RawRegistry,
  repository: string,
  tag: string,
  image: MultiArch,
): Promise<void> => {
  const push = (reference: string, { mediaType, ...blob }: Manifest) =>
    registry.pushManifest(repository, reference, { manifest: blob, mediaType, blobs: [] })
  for (const blob of image.blobs) await registry.pushBlob(repository, blob)
  for (const one of image.manifests) await push(one.tag ?? one.digest, one)
  await push(tag, image.index)
}

/** What of it is not there, byte for byte. */
export const missingFrom = async (
  registry: RawRegistry,
  repository: string,
  tag: string,
  image: MultiArch,
): Promise<string[]> => {
  const wanted: { what: string; digest: string; get: () => Promise<Uint8Array> }[] = []
  const want = (what: string, digest: string, get: () => Promise<Uint8Array>) =>
    wanted.push({ what, digest, get })
  const wantManifest = (reference: string, digest: string) =>
    want(`manifest ${reference}`, digest, () => registry.readManifest(repository, reference))
  wantManifest(tag, image.index.digest)
  for (const { digest, tag: own } of image.manifests) {
    wantManifest(digest, digest)
    if (own) wantManifest(own, digest)
  }
  for (const { digest } of image.blobs) {
    want(`blob ${digest}`, digest, () => registry.readBlob(repository, digest))
  }
  const missing: string[] = []
  for (const { what, digest, get } of wanted) {
    const found = await get().then(sha256, (error: unknown) => String(error))
    if (found !== digest) missing.push(`${what}: ${found}`)
  }
  return missing
}
