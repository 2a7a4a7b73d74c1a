import { accountRoutes } from './account.ts'
import { artifactRoutes } from './artifacts.ts'
import { chartRoutes } from './charts.ts'
import { projectRoutes } from './projects.ts'
import { repositoryRoutes } from './repositories.ts'
import type { CcrRoute } from './route.ts'

/** Every call of CCR, as data. No two of a method fit one path: see `path.ts`. */
export const CCR_ROUTES: readonly CcrRoute[] = [
  artifactRoutes,
  repositoryRoutes,
  chartRoutes,
  projectRoutes,
  accountRoutes,
].flatMap((routes) => Object.values<CcrRoute>(routes))
