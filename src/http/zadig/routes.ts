import type { Action } from '../../accounts/permissions.ts'

/*
 * The calls of Zadig's registry OpenAPI, and DELETE, which Zadig has for its own pages only
 * (`/api/aslan/system/registry/namespaces/:id`).
 */

export interface ZadigRoute {
  /** In the log, the metrics and the audit. */
  name: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `:id` stands for an id. */
  path: string
  permission: Action
}

const REGISTRIES = '/openapi/system/registry'
const REGISTRY = `${REGISTRIES}/:id`

export const zadigRoutes = {
  create: {
    name: 'registry.create',
    method: 'POST',
    path: REGISTRIES,
    permission: 'registry:manage',
  },
  list: { name: 'registry.list', method: 'GET', path: REGISTRIES, permission: 'registry:read' },
  get: { name: 'registry.get', method: 'GET', path: REGISTRY, permission: 'registry:manage' },
  update: { name: 'registry.update', method: 'PUT', path: REGISTRY, permission: 'registry:manage' },
  remove: {
    name: 'registry.delete',
    method: 'DELETE',
    path: REGISTRY,
    permission: 'registry:manage',
  },
} as const satisfies Record<string, ZadigRoute>

export const ZADIG_ROUTES: readonly ZadigRoute[] = Object.values(zadigRoutes)
