/** Media types of image-spec and of Docker's registry, as far as the registry acts on them. */
export const MEDIA_TYPE = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const

const SCHEMA_1 = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
]

export function isSchema1(mediaType: string): boolean {
  return SCHEMA_1.includes(mediaType)
}

/** What a well-known manifest type says of the shape; undefined for any other type. */
export function kindOfMediaType(mediaType: string): 'image' | 'index' | undefined {
  if (mediaType === MEDIA_TYPE.ociManifest || mediaType === MEDIA_TYPE.dockerManifest) {
    return 'image'
  }
  if (mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerList) return 'index'
  return undefined
}

/**
 * Layers that stay with their vendor and are not pushed (image-spec, layer.md,
 * "Non-Distributable Layers", and Docker's foreign layers).
 */
export function isNondistributable(mediaType: string): boolean {
  return (
    mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.') ||
    mediaType === 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
  )
}
