import type { Action } from '../../accounts/permissions.ts'

/*
 * The routes of /v2 as data (distribution-spec, "Endpoints"). Names have any depth and may contain
 * the words "blobs", "manifests" or "tags", so patterns are anchored at the end and the last word
 * decides.
 */

export interface V2Route {
  /** In the log, the metrics and the handler table. */
  name: string
  method: string
  /** For people and for the generated tests. */
  path: string
  pattern: RegExp
  /** null: open to everybody, signed in or not. */
  action: Action | null
  /** What a token for it must hold; `{name}` stands for the repository as asked. */
  scope?: string
}

const NAME = '/v2/(?<name>.+?)'
const pull = { action: 'repository:pull', scope: 'repository:{name}:pull' } as const
const push = { action: 'repository:push', scope: 'repository:{name}:pull,push' } as const
const erase = { action: 'repository:delete', scope: 'repository:{name}:delete,pull' } as const

const manifest = route('/v2/<name>/manifests/<reference>', `${NAME}/manifests/(?<reference>[^/]+)`)
const referrers = route('/v2/<name>/referrers/<digest>', `${NAME}/referrers/(?<digest>[^/]+)`)
const tags = route('/v2/<name>/tags/list', `${NAME}/tags/list`)
const uploads = route('/v2/<name>/blobs/uploads/', `${NAME}/blobs/uploads/?`)
const upload = route('/v2/<name>/blobs/uploads/<id>', `${NAME}/blobs/uploads/(?<id>[^/]+)`)
const blob = route('/v2/<name>/blobs/<digest>', `${NAME}/blobs/(?<digest>[^/]+)`)
const extensions = route('/v2/_oci/ext/discover', '/v2/_oci/ext/discover')
const catalog = route('/v2/_catalog', '/v2/_catalog')
const ping = route('/v2/', '/v2/?')

/** In the order in which they are tried. */
export const V2_ROUTES: readonly V2Route[] = [
  { name: 'ping', method: 'GET', ...ping, action: null },
  { name: 'ping', method: 'HEAD', ...ping, action: null },
  {
    name: 'catalog',
    method: 'GET',
    ...catalog,
    action: 'catalog:read',
    scope: 'registry:catalog:*',
  },
  { name: 'extensions', method: 'GET', ...extensions, action: null },
  { name: 'manifest.get', method: 'GET', ...manifest, ...pull },
  { name: 'manifest.head', method: 'HEAD', ...manifest, ...pull },
  { name: 'manifest.put', method: 'PUT', ...manifest, ...push },
  { name: 'manifest.delete', method: 'DELETE', ...manifest, ...erase },
  { name: 'referrers', method: 'GET', ...referrers, ...pull },
  { name: 'tags', method: 'GET', ...tags, ...pull },
  { name: 'upload.start', method: 'POST', ...uploads, ...push },
  { name: 'upload.status', method: 'GET', ...upload, ...push },
  { name: 'upload.append', method: 'PATCH', ...upload, ...push },
  { name: 'upload.finish', method: 'PUT', ...upload, ...push },
  { name: 'upload.cancel', method: 'DELETE', ...upload, ...push },
  { name: 'blob.get', method: 'GET', ...blob, ...pull },
  { name: 'blob.head', method: 'HEAD', ...blob, ...pull },
  { name: 'blob.delete', method: 'DELETE', ...blob, ...erase },
]

export interface V2Match {
  route: V2Route
  /** As asked; not checked yet. */
  name: string
  /** Reference, digest or id, percent-decoded. */
  target: string
}

/** The route of a request, or the methods that the path has; none: no such path. */
export function matchRoute(method: string, path: string): V2Match | { allowed: string[] } {
  for (const route of V2_ROUTES) {
    if (route.method !== method) continue
    const match = route.pattern.exec(path)
    if (!match) continue
    const { name = '', reference, digest, id } = match.groups ?? {}
    return { route, name, target: decode(reference ?? digest ?? id ?? '') }
  }
  const others = V2_ROUTES.filter((route) => route.pattern.test(path))
  return { allowed: [...new Set(others.map((route) => route.method))] }
}

function route(path: string, pattern: string) {
  return { path, pattern: new RegExp(`^${pattern}$`) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
