import { inventoryRoutes } from './inventory-routes.ts'
import { registryRoutes } from './registry-routes.ts'
import type { HssRoute } from './route.ts'

/** Every call of HSS that there is, as data; the fixed paths stand before those with an id. */
export const HSS_ROUTES: readonly HssRoute[] = [
  ...Object.values<HssRoute>(registryRoutes),
  ...Object.values<HssRoute>(inventoryRoutes),
]
