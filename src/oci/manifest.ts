import { isDescriptorDigest } from './digest.ts'
import { isJsonObject, type Json, type JsonObject, parseStrictJson } from './json.ts'
import { isNondistributable, isSchema1, kindOfMediaType, MEDIA_TYPE } from './media-types.ts'

/** Larger manifests are refused by docker, containers/image and oras-go when they pull. */
export const MANIFEST_SIZE_LIMIT = 4 * 1024 * 1024
/** Edges of one manifest, so that one push cannot occupy the database for seconds. */
const DESCRIPTOR_LIMIT = 10_000

/** image-spec, descriptor.md. Unknown fields are kept in `raw`. */
export interface Descriptor {
  mediaType: string
  digest: string
  size: number
  artifactType?: string
  urls?: readonly string[]
  annotations?: Record<string, string>
  raw: JsonObject
}

export interface ManifestEdge {
  kind: 'config' | 'layer' | 'manifest' | 'subject'
  descriptor: Descriptor
}

/** What the registry needs to know of a manifest; its bytes are kept as they came. */
export interface ParsedManifest {
  kind: 'image' | 'index'
  mediaType: string
  /** As the referrers API shows it: its own, else of images the config's media type. */
  artifactType: string | undefined
  annotations: Record<string, string> | undefined
  subject: Descriptor | undefined
  edges: ManifestEdge[]
}

/** The manifest cannot be taken; the message completes "the manifest is invalid: …". */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
}

/**
 * Reads a manifest for what it refers to (image-spec, manifest.md and image-index.md; Docker image
 * manifest v2 schema 2). Unknown fields and unknown media types of content are never an error.
 *
 * @param contentType the header's value, parameters allowed; empty when there was none
 * @throws ManifestError
 */
export function parseManifest(bytes: Uint8Array, contentType: string): ParsedManifest {
  const headerType = (contentType.split(';')[0] ?? '').trim().toLowerCase()
  const body = parseBody(bytes)
  const mediaType = mediaTypeOf(body, headerType)
  const kind = shapeOf(body, mediaType)
  if (body.schemaVersion !== 2) fail('its schemaVersion is not 2')

  const edges: ManifestEdge[] = []
  if (kind === 'index') {
    for (const item of listOf(body, 'manifests')) {
      edges.push({ kind: 'manifest', descriptor: parseDescriptor(item, 'manifests[]') })
    }
  } else {
    edges.push({ kind: 'config', descriptor: parseDescriptor(body.config, 'config') })
    for (const item of listOf(body, 'layers')) {
      edges.push({ kind: 'layer', descriptor: parseDescriptor(item, 'layers[]') })
    }
  }
  const subject = body.subject == null ? undefined : parseDescriptor(body.subject, 'subject')
  if (subject) edges.push({ kind: 'subject', descriptor: subject })

  const config = edges.find((edge) => edge.kind === 'config')?.descriptor
  return {
    kind,
    mediaType,
    artifactType: textOf(body, 'artifactType') || config?.mediaType,
    annotations: annotationsOf(body, 'the manifest'),
    subject,
    edges,
  }
}

/**
 * True when the bytes of this descriptor need not be in the repository: layers that are not
 * distributed, or that say where else they are.
 */
export function mayBeAbsent({ kind, descriptor }: ManifestEdge): boolean {
  if (kind === 'subject') return true
  if (kind !== 'layer') return false
  return isNondistributable(descriptor.mediaType) || (descriptor.urls?.length ?? 0) > 0
}

function parseBody(bytes: Uint8Array): JsonObject {
  let body: Json
  try {
    body = parseStrictJson(bytes)
  } catch (error) {
    return fail(error instanceof Error ? error.message : 'it is not valid JSON')
  }
  return isJsonObject(body) ? body : fail('it is not a JSON object')
}

/** The body's own type and the header must agree (CVE-2021-41190: one document, two readings). */
function mediaTypeOf(body: JsonObject, headerType: string): string {
  const ownType = textOf(body, 'mediaType') ?? ''
  if (body.schemaVersion === 1 || isSchema1(ownType) || isSchema1(headerType)) {
    fail('Docker image manifest version 2, schema 1 is not supported; push it with a newer client')
  }
  const given = headerType === 'application/json' ? '' : headerType
  // RFC 9110 section 8.3.1: types are the same whatever their case; the header's is lower by now.
  if (ownType && given && ownType.toLowerCase() !== given) {
    fail(`Content-Type is "${headerType}", but its mediaType is "${ownType}"`)
  }
  const mediaType = ownType || given
  if (!mediaType) return 'manifests' in body ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest
  if (!/^application\/[a-z0-9][a-z0-9!#$&^_.+-]{0,200}$/i.test(mediaType)) {
    fail(`"${mediaType.slice(0, 80)}" is not a media type of manifests`)
  }
  return mediaType
}

function shapeOf(body: JsonObject, mediaType: string): 'image' | 'index' {
  const isIndex = 'manifests' in body
  const isImage = 'config' in body || 'layers' in body
  if (isIndex && isImage) fail('it has "manifests" and also "config" or "layers"')
  if (!isIndex && !isImage) {
    fail('it has neither "manifests" nor "config" and "layers", so it is no image and no index')
  }
  const shape = isIndex ? 'index' : 'image'
  const expected = kindOfMediaType(mediaType)
  if (expected && expected !== shape) fail(`its type "${mediaType}" does not fit its content`)
  return shape
}

function parseDescriptor(value: Json | undefined, where: string): Descriptor {
  if (!isJsonObject(value)) return fail(`${where} is not a descriptor`)
  const digest = textOf(value, 'digest') ?? ''
  if (!isDescriptorDigest(digest)) fail(`${where} has no valid digest`)
  const size = value.size
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    return fail(`the size of ${where} ${digest} is not a whole number from 0 to 2^53-1`)
  }
  const urls = value.urls
  const artifactType = textOf(value, 'artifactType')
  const annotations = annotationsOf(value, where)
  return {
    mediaType: textOf(value, 'mediaType') ?? '',
    digest,
    size,
    ...(artifactType ? { artifactType } : {}),
    ...(Array.isArray(urls) ? { urls: urls.filter((url) => typeof url === 'string') } : {}),
    ...(annotations ? { annotations } : {}),
    raw: value,
  }
}

function listOf(body: JsonObject, field: string): Json[] {
  const list = body[field]
  // A missing list of layers is written by tools that push no-layer artifacts as null.
  if (list == null) return []
  if (!Array.isArray(list)) return fail(`"${field}" is not a list`)
  if (list.length > DESCRIPTOR_LIMIT) {
    fail(`"${field}" has ${list.length} entries; at most ${DESCRIPTOR_LIMIT} are accepted`)
  }
  return list
}

function annotationsOf(object: JsonObject, where: string): Record<string, string> | undefined {
  const annotations = object.annotations
  if (annotations == null) return undefined
  if (!isJsonObject(annotations)) return fail(`the annotations of ${where} are not an object`)
  for (const [name, value] of Object.entries(annotations)) {
    if (typeof value !== 'string') fail(`the annotation "${name}" of ${where} is not a string`)
  }
  return annotations as Record<string, string>
}

function textOf(object: JsonObject, field: string): string | undefined {
  const value = object[field]
  if (value == null) return undefined
  if (typeof value !== 'string') return fail(`"${field}" is not a string`)
  // PostgreSQL has no text with one, and no media type has one either.
  return value.includes('\0') ? fail(`"${field}" has a NUL in it`) : value
}

function fail(message: string): never {
  throw new ManifestError(message)
}
