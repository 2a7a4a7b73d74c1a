import { accessKeyRoutes } from './access-keys.ts'
import { artifactContentRoutes } from './artifact-contents.ts'
import { artifactRoutes } from './artifacts.ts'
import { auditRoutes } from './audit.ts'
import { chartVersionRoutes } from './chart-versions.ts'
import { eventRoutes } from './events.ts'
import { imageRoutes } from './images.ts'
import { jobRoutes } from './jobs.ts'
import { meRoutes } from './me.ts'
import { memberRoutes } from './members.ts'
import { overviewRoutes } from './overview.ts'
import { projectRoutes } from './projects.ts'
import { registryRoutes } from './registries.ts'
import { registryBrowseRoutes } from './registry-browse.ts'
import { registryTrustRoutes, registryUseRoutes } from './registry-use.ts'
import { repositoryRoutes } from './repositories.ts'
import { robotRoutes, systemRobotRoutes } from './robots.ts'
import type { ApiRoute } from './route.ts'
import { runnerProtocolRoutes } from './runner-protocol.ts'
import { runnerRoutes } from './runners.ts'
import { searchRoutes } from './search.ts'
import { sessionRoutes } from './session.ts'
import { systemRoutes } from './system.ts'
import { tagRoutes } from './tags.ts'
import { transferRoutes } from './transfers.ts'
import { usageRoutes } from './usage.ts'
import { userRoutes } from './users.ts'

/** Every route of `/api/v1`, as data. */
export const API_ROUTES: readonly ApiRoute[] = [
  projectRoutes,
  memberRoutes,
  robotRoutes,
  repositoryRoutes,
  artifactRoutes,
  artifactContentRoutes,
  chartVersionRoutes,
  tagRoutes,
  registryBrowseRoutes,
  registryRoutes,
  registryTrustRoutes,
  registryUseRoutes,
  imageRoutes,
  runnerProtocolRoutes,
  runnerRoutes,
  transferRoutes,
  eventRoutes,
  sessionRoutes,
  meRoutes,
  accessKeyRoutes,
  userRoutes,
  systemRobotRoutes,
  auditRoutes,
  jobRoutes,
  overviewRoutes,
  usageRoutes,
  searchRoutes,
  systemRoutes,
].flatMap((routes) => Object.values<ApiRoute>(routes))
