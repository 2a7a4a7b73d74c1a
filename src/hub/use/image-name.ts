import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import { parseDigest } from '../../oci/digest.ts'
import { isRepositoryPath, isTag } from '../../oci/reference.ts'
import { cleanPath, type RegistryPlace, registryHostOf } from './registry-host.ts'

/* `host/[namespace/]image:tag`, as people type it and as clients parse it. */

/** What somebody wrote for an image: `app`, `team/app:1.2`, `app@sha256:…`. */
export interface WrittenImage {
  name: string
  tag?: string | undefined
  digest?: string | undefined
}

/** Of the name with its host, in every client that has the limit of distribution's parser. */
const MOST = 255

/**
 * Name and tag or digest, not yet checked for their characters.
 * @throws AppError invalid_input
 */
export function readImage(text: string): WrittenImage {
  const [named = '', digest, ...more] = text.trim().split('@')
  const colon = named.lastIndexOf(':')
  // A colon before a slash is that of a port.
  const hasTag = colon > named.lastIndexOf('/')
  const name = hasTag ? named.slice(0, colon) : named
  const tag = hasTag ? named.slice(colon + 1) : undefined
  if (name === '' || more.length > 0) throw wrong(text, `"${text}" is no name of an image`)
  if (tag !== undefined && !isTag(tag)) throw wrong(tag, `"${tag}" cannot be a tag`, 'tag_invalid')
  if (digest !== undefined && !parseDigest(digest))
    throw wrong(digest, `"${digest}" is no digest`, 'digest_invalid')
  return { name, tag, digest }
}

/**
 * The whole name in a registry, as `docker pull` takes it.
 * @throws AppError invalid_input when clients would not take it
 */
export function imageIn(place: RegistryPlace, image: WrittenImage): string {
  const { host, path } = registryHostOf(place)
  const name = cleanPath(image.name)
  if (!isRepositoryPath(name)) throw wrong(image.name, notAName(image.name))
  const repository = [path, cleanPath(place.namespace), name]
    .filter((part) => part !== '')
    .join('/')
  if (!isRepositoryPath(repository)) {
    throw wrong(
      repository,
      `"${repository}" cannot be in the name of an image; look at the registry's namespace`,
    )
  }
  const full = `${host}/${repository}`
  if (full.length > MOST) {
    throw wrong(full, `"${full}" has ${full.length} characters; clients take ${MOST} at most`)
  }
  const tag = image.tag === undefined ? '' : `:${image.tag}`
  const digest = image.digest === undefined ? '' : `@${image.digest}`
  return `${full}${tag}${digest}`
}

/**
 * What an image is called in another registry: the last segment of its name, under the namespace
 * there, with its tag unless another one is given. `registry:5000/a/b/app:1` → `app:1`.
 * @throws AppError invalid_input when there is no tag
 */
export function distributedImage(source: string, tag?: string): WrittenImage {
  const written = readImage(source)
  const name = written.name.slice(written.name.lastIndexOf('/') + 1)
  const kept = tag ?? written.tag
  if (kept === undefined) {
    throw wrong(
      source,
      `"${source}" has no tag to keep; say which one the copy should have`,
      'image_needs_tag',
    )
  }
  if (!isTag(kept)) throw wrong(kept, `"${kept}" cannot be a tag`, 'tag_invalid')
  return { name, tag: kept }
}

function notAName(name: string): string {
  const lower = name.toLowerCase()
  if (lower !== name && isRepositoryPath(lower)) {
    return `names of images are lower-case: write "${lower}" in place of "${name}"`
  }
  return (
    `"${name}" cannot be the name of an image: lower-case letters and digits with single ".", "_" ` +
    'or "-" between them, without the registry and its namespace, which come from the record'
  )
}

function wrong(
  name: string,
  message: string,
  reason:
    | 'image_name_invalid'
    | 'image_needs_tag'
    | 'tag_invalid'
    | 'digest_invalid' = 'image_name_invalid',
): AppError {
  return new AppError('invalid_input', message, { field: 'image', ...because(reason, { name }) })
}
