import { AppError } from '../../lib/errors.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import { isJsonObject, parseStrictJson } from '../../oci/json.ts'
import {
  type Descriptor,
  ManifestError,
  type ParsedManifest,
  parseManifest,
} from '../../oci/manifest.ts'
import { kindOfMediaType } from '../../oci/media-types.ts'
import type { Reference } from '../../oci/reference.ts'
import type { ManifestContent, Registry, RegistryCall } from '../../oci/registry.ts'
import { readSmallBlob } from './small-blob.ts'

/** What can be told of an image without pulling it. */
export interface RemoteImage {
  digest: Digest
  mediaType: string
  artifactType: string | null
  /** Bytes to pull: manifest, config and layers; of an index those of all its images. */
  size: number
  /** Epoch milliseconds, as the image says; null: it does not. */
  createdAt: number | null
  /** `linux/arm64/v8`; one for an image, several for an index. */
  platforms: string[]
  /** Of an index: its images, attestations left out. */
  images: { digest: string; platform: string; size: number }[]
  isIndex: boolean
}

const CONFIG_LIMIT = 1024 * 1024
const MOST_CHILDREN = 100

/** One manifest, and what it needs to be told of: the config of an image, the images of an index. */
export async function describeRemoteImage(
  registry: Registry,
  repository: string,
  reference: Reference,
  call: RegistryCall,
): Promise<RemoteImage | undefined> {
  const manifest = await registry.readManifest(repository, reference, call)
  if (!manifest) return undefined
  const parsed = parse(manifest)
  return parsed.kind === 'image'
    ? describeSingle(registry, repository, manifest, parsed, call)
    : describeIndex(registry, repository, manifest, parsed, call)
}

function parse({ bytes, mediaType, digest }: ManifestContent): ParsedManifest {
  try {
    return parseManifest(bytes, mediaType)
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error
    const message = `the registry has an invalid manifest ${digest}: ${error.message}`
    throw new AppError('remote_error', message, { problem: 'answer' })
  }
}

async function describeSingle(
  registry: Registry,
  repository: string,
  { digest, mediaType, bytes }: ManifestContent,
  { edges, artifactType }: ParsedManifest,
  call: RegistryCall,
): Promise<RemoteImage> {
  const config = edges.find(({ kind }) => kind === 'config')?.descriptor
  const { platform, createdAt } = await readConfig(registry, repository, config, call)
  return {
    digest,
    mediaType,
    artifactType: artifactType ?? null,
    size: edges
      .filter(({ kind }) => kind !== 'subject')
      .reduce((sum, { descriptor }) => sum + descriptor.size, bytes.length),
    createdAt,
    platforms: platform ? [platform] : [],
    images: [],
    isIndex: false,
  }
}

async function describeIndex(
  registry: Registry,
  repository: string,
  { digest, mediaType, bytes }: ManifestContent,
  { edges, artifactType }: ParsedManifest,
  call: RegistryCall,
): Promise<RemoteImage> {
  const children = edges
    .filter(({ kind, descriptor }) => kind === 'manifest' && !isAttestation(descriptor))
    .slice(0, MOST_CHILDREN)
  // The client keeps to what the registry puts up with.
  const images = await Promise.all(
    children.map(async ({ descriptor }) => {
      const image = await describeChild(registry, repository, descriptor, call)
      return {
        digest: descriptor.digest,
        platform: platformOf(descriptor.raw.platform),
        size: image?.size ?? descriptor.size,
        createdAt: image?.createdAt ?? null,
      }
    }),
  )
  const times = images.flatMap(({ createdAt }) => (createdAt === null ? [] : [createdAt]))
  return {
    digest,
    mediaType,
    artifactType: artifactType ?? null,
    size: images.reduce((sum, image) => sum + image.size, bytes.length),
    createdAt: times.length > 0 ? Math.max(...times) : null,
    platforms: images.map(({ platform }) => platform).filter(Boolean),
    images: images.map(({ createdAt: _, ...image }) => image),
    isIndex: true,
  }
}

/** An index may lack some of its images (sparse), or hold indexes: neither is gone into. */
async function describeChild(
  registry: Registry,
  repository: string,
  descriptor: Descriptor,
  call: RegistryCall,
): Promise<RemoteImage | undefined> {
  const digest = parseDigest(descriptor.digest)
  if (!digest || kindOfMediaType(descriptor.mediaType) === 'index') return undefined
  const manifest = await registry.readManifest(repository, { kind: 'digest', digest }, call)
  const parsed = manifest && parse(manifest)
  if (parsed?.kind !== 'image') return undefined
  return manifest && describeSingle(registry, repository, manifest, parsed, call)
}

async function readConfig(
  registry: Registry,
  repository: string,
  config: Descriptor | undefined,
  call: RegistryCall,
): Promise<{ platform: string; createdAt: number | null }> {
  const nothing = { platform: '', createdAt: null }
  const digest = config && parseDigest(config.digest)
  if (!config || !digest || config.size > CONFIG_LIMIT) return nothing
  const bytes = await readSmallBlob(registry, repository, { digest, size: config.size }, call)
  try {
    const json = parseStrictJson(bytes)
    if (!isJsonObject(json)) return nothing
    const created = typeof json.created === 'string' ? Date.parse(json.created) : Number.NaN
    // Reproducible builds write the first second of 1970, Go the year 1 for nothing at all.
    return { platform: platformOf(json), createdAt: created > 0 ? created : null }
  } catch {
    // Artifacts may have anything as their config.
    return nothing
  }
}

/** image-spec, image-index.md: `os/architecture[/variant]`. */
function platformOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  const { os, architecture, variant } = value as Record<string, unknown>
  const parts = [os, architecture, variant].filter(
    (part): part is string => typeof part === 'string' && /^[\w.-]{1,64}$/.test(part),
  )
  return parts.length < 2 ? '' : parts.join('/')
}

/** BuildKit's: a child for no platform that says what the others were built from. */
function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}
