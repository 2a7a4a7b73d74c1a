import { accountRoutes } from './account.ts'
import { artifactRoutes } from './artifacts.ts'
import { projectRoutes } from './projects.ts'
import { repositoryRoutes } from './repositories.ts'
import type { CcrRoute } from './route.ts'

/**
 * Every call of CCR, as data, in the order in which paths are tried: names may have slashes, so the
 * longer path stands first.
 */
export const CCR_ROUTES: readonly CcrRoute[] = [
  artifactRoutes,
  repositoryRoutes,
  projectRoutes,
  accountRoutes,
].flatMap((routes) => Object.values<CcrRoute>(routes))
