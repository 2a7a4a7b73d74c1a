import { parseDigest } from '../oci/digest.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../oci/json.ts'
import type { ParsedManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import { bytesOf } from '../store/blobs/source-bytes.ts'
import type { Blobs } from './blobs.ts'

/** Larger configs are not read: what lists show of them is not worth it. */
const CONFIG_LIMIT = 1024 * 1024
const TEXT_LIMIT = 512

/** What lists show of an image, from its config (image-spec, config.md). */
export interface ImageDetails {
  architecture: string
  os: string
  author: string
  /** RFC 3339, as it stands in the config; empty: not said. */
  created: string
}

export interface Description {
  configMediaType: string | null
  /** Manifest, config and layers; of an index only itself, since its parts may come later. */
  imageSize: number
  details: ImageDetails | null
}

/** Reads what is worth knowing of a manifest that is about to be stored. Never fails a push. */
export type Describe = (
  name: RepositoryName,
  parsed: ParsedManifest,
  manifestSize: number,
) => Promise<Description>

export function createDescribe({ blobs }: { blobs: Blobs }): Describe {
  async function readConfig(name: RepositoryName, digest: string): Promise<JsonObject | undefined> {
    const known = parseDigest(digest)
    if (!known) return undefined
    try {
      const blob = await blobs.get(name, known)
      if (blob.size > CONFIG_LIMIT) return undefined
      const bytes = await bytesOf(await blobs.open(blob))
      const config = bytes && parseStrictJson(bytes)
      return isJsonObject(config) ? config : undefined
    } catch {
      // Not there, or not what it says: the manifest is judged by others.
      return undefined
    }
  }

  return async (name, parsed, manifestSize) => {
    const config = configOf(parsed)
    const json = config && (await readConfig(name, config.digest))
    return { ...measure(parsed, manifestSize), details: json ? detailsOf(json) : null }
  }
}

/** What a manifest alone says. */
export function measure(
  parsed: ParsedManifest,
  manifestSize: number,
): Omit<Description, 'details'> {
  const content = parsed.edges.filter((edge) => edge.kind === 'config' || edge.kind === 'layer')
  return {
    configMediaType: configOf(parsed)?.mediaType ?? null,
    imageSize: content.reduce((sum, edge) => sum + edge.descriptor.size, manifestSize),
  }
}

function configOf({ edges }: ParsedManifest) {
  return edges.find((edge) => edge.kind === 'config')?.descriptor
}

function detailsOf(config: JsonObject): ImageDetails {
  return {
    architecture: textOf(config.architecture),
    os: textOf(config.os),
    author: textOf(config.author),
    created: textOf(config.created),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, TEXT_LIMIT) : ''
}
