import { type Digest, parseDigest } from './digest.ts'

/*
 * Names (distribution-spec, "Pulling manifests"): components of lower-case letters and digits
 * with single separators, joined by "/". The first component is the project.
 */

const COMPONENT = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/
const PROJECT = /^[a-z0-9]+([._-][a-z0-9]+)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const NAME_LIMIT = 255

/** The project of names without a slash, as on Docker Hub. */
export const LIBRARY = 'library'
/** What belongs to the installation itself, such as the image of its runners. */
export const SYSTEM = 'system'
/** Would clash with our own paths. */
export const RESERVED_PROJECTS: readonly string[] = ['api']

/** A repository name in its one canonical form. */
export interface RepositoryName {
  project: string
  /** The rest, of any depth. */
  path: string
  /** `project/path` */
  full: string
}

export type Reference = { kind: 'tag'; tag: string } | { kind: 'digest'; digest: Digest }

/** undefined: not a repository name. `hello` is `library/hello`. */
export function parseRepositoryName(raw: string): RepositoryName | undefined {
  // The canonical form counts, since the catalog prints it and clients come back with it.
  const full = raw.includes('/') ? raw : `${LIBRARY}/${raw}`
  if (full.length > NAME_LIMIT) return undefined
  const components = full.split('/')
  if (!components.every((component) => COMPONENT.test(component))) return undefined
  const [project = '', ...rest] = components
  if (!PROJECT.test(project)) return undefined
  return { project, path: rest.join('/'), full }
}

/** What a project may be called, whether or not the name is reserved. */
export function isProjectName(name: string): boolean {
  return name.length >= 1 && name.length <= NAME_LIMIT && PROJECT.test(name)
}

/** What a repository may be called within its project. */
export function isRepositoryPath(path: string): boolean {
  return path.length <= NAME_LIMIT && path.split('/').every((part) => COMPONENT.test(part))
}

export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** Whatever has a colon is a digest, since tags have none. undefined: neither. */
export function parseReference(text: string): Reference | undefined {
  if (text.includes(':')) {
    const digest = parseDigest(text)
    return digest && { kind: 'digest', digest }
  }
  return isTag(text) ? { kind: 'tag', tag: text } : undefined
}
