import type { ListedChild, ListedFacts } from '../../client/inventory.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../../oci/json.ts'
import { type Descriptor, ManifestError, parseManifest } from '../../oci/manifest.ts'
import type { Registry, RegistryCall } from '../../oci/registry.ts'

/** Of an index that names more, the others are not looked into. */
const MOST_CHILDREN = 64
/** Those of real images have some kilobytes. */
const CONFIG_LIMIT = 512 * 1024
const MOST_REMEMBERED = 2_000
const CREATED = 'org.opencontainers.image.created'
const ATTESTATION = 'attestation-manifest'

export type ImageChild = ListedChild

/** What is kept of a manifest. */
export type ImageFacts = ListedFacts

/** What a config says of its image. */
interface ConfigFacts {
  platform: string
  createdAt: number | undefined
}

export interface ImageReader {
  /** undefined: it is gone. @throws AppError */
  read(digest: Digest, call: RegistryCall): Promise<ImageFacts | undefined>
  /** Manifests that were fetched so far. */
  fetched(): number
}

/**
 * Reads the images of one repository. What several tags share, as bases and caches make them do, is
 * read once.
 */
export function createImageReader(registry: Registry, repository: string): ImageReader {
  const known = remembering<ImageFacts | undefined>()
  const configs = remembering<ConfigFacts | undefined>()
  let fetched = 0

  function read(digest: Digest, call: RegistryCall): Promise<ImageFacts | undefined> {
    return known(digest, () => readNew(digest, call))
  }

  async function readNew(digest: Digest, call: RegistryCall): Promise<ImageFacts | undefined> {
    fetched++
    const content = await registry.readManifest(repository, { kind: 'digest', digest }, call)
    if (!content) return undefined
    const { mediaType, bytes } = content
    try {
      const { kind, edges, annotations } = parseManifest(bytes, mediaType)
      const createdAt = timeOf(annotations?.[CREATED])
      if (kind === 'index') {
        const children = edges.filter((edge) => edge.kind === 'manifest')
        return await ofIndex(
          mediaType,
          children.map(({ descriptor }) => descriptor),
          createdAt,
          call,
        )
      }
      const content = edges.filter(({ kind }) => kind === 'config' || kind === 'layer')
      const size = content.reduce((sum, { descriptor }) => sum + descriptor.size, 0)
      const config = edges.find((edge) => edge.kind === 'config')?.descriptor
      const told = config && isImageConfig(config) ? await readConfig(config, call) : undefined
      return {
        mediaType,
        size,
        platforms: told?.platform ? [told.platform] : [],
        children: [],
        createdAt: createdAt ?? told?.createdAt,
      }
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error
      // Such as schema 1: that it is there is worth knowing all the same.
      return { mediaType, size: 0, platforms: [], children: [], createdAt: undefined }
    }
  }

  async function ofIndex(
    mediaType: string,
    all: readonly Descriptor[],
    createdAt: number | undefined,
    call: RegistryCall,
  ): Promise<ImageFacts> {
    const images = all.filter((child) => !isAttestation(child)).slice(0, MOST_CHILDREN)
    const children: ImageChild[] = []
    let youngest = createdAt
    for (const child of images) {
      const digest = parseDigest(child.digest)
      const facts = digest && (await read(digest, call))
      const platform = platformOf(child.raw.platform) || (facts?.platforms[0] ?? '')
      children.push({ digest: child.digest, platform, size: facts?.size ?? 0 })
      if (createdAt === undefined && facts?.createdAt !== undefined) {
        youngest = Math.max(youngest ?? 0, facts.createdAt)
      }
    }
    return {
      mediaType,
      size: children.reduce((sum, { size }) => sum + size, 0),
      platforms: [...new Set(children.map(({ platform }) => platform).filter(Boolean))],
      children,
      createdAt: youngest,
    }
  }

  /** undefined: it tells nothing. An image is listed even when its config cannot be read. */
  async function readConfig(
    { digest: text, size }: Descriptor,
    call: RegistryCall,
  ): Promise<ConfigFacts | undefined> {
    const digest = parseDigest(text)
    if (!digest || size > CONFIG_LIMIT) return undefined
    return configs(digest, async () => {
      try {
        const stream = await registry.readBlob(repository, { digest, size }, call)
        const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
        const config = parseStrictJson(bytes)
        if (!isJsonObject(config)) return undefined
        return { platform: platformOf(config), createdAt: timeOf(config.created) }
      } catch {
        call.signal?.throwIfAborted()
        return undefined
      }
    })
  }

  return { read, fetched: () => fetched }
}

function isImageConfig({ mediaType }: Descriptor): boolean {
  return (
    mediaType === 'application/vnd.oci.image.config.v1+json' ||
    mediaType === 'application/vnd.docker.container.image.v1+json'
  )
}

/** What BuildKit puts beside an image. */
function isAttestation({ annotations, raw }: Descriptor): boolean {
  return (
    annotations?.['vnd.docker.reference.type'] === ATTESTATION ||
    platformOf(raw.platform) === 'unknown/unknown'
  )
}

function platformOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  const { os, architecture, variant } = value as JsonObject
  if (typeof os !== 'string' || typeof architecture !== 'string') return ''
  if (os === '' || architecture === '') return ''
  const parts = [os, architecture, ...(typeof variant === 'string' && variant ? [variant] : [])]
  return parts.join('/').slice(0, 100)
}

/** Reproducible builds say 1970, or the year 1, which is no time at all. */
function timeOf(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return time > 0 ? time : undefined
}

/** The latest results by key; those that failed are asked for again. */
function remembering<T>() {
  const kept = new Map<string, Promise<T>>()
  return (key: string, work: () => Promise<T>): Promise<T> => {
    const found = kept.get(key)
    if (found) return found
    const made = work()
    kept.set(key, made)
    made.catch(() => kept.delete(key))
    const [oldest] = kept.keys()
    if (kept.size > MOST_REMEMBERED && oldest !== undefined) kept.delete(oldest)
    return made
  }
}
