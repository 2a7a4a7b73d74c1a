import { expect, test } from 'bun:test'
import type { z } from '@hono/zod-openapi'
import type * as Hub from '../../console/web/api/hub.ts'
import type * as Console from '../../console/web/api/types.ts'
import { accessKeyRoutes } from '../api/access-keys.ts'
import { artifactContentRoutes } from '../api/artifact-contents.ts'
import { artifactRoutes } from '../api/artifacts.ts'
import { auditRoutes } from '../api/audit.ts'
import { chartVersionRoutes } from '../api/chart-versions.ts'
import { imageRoutes } from '../api/images.ts'
import { jobRoutes } from '../api/jobs.ts'
import { meRoutes } from '../api/me.ts'
import { memberRoutes } from '../api/members.ts'
import { overviewRoutes } from '../api/overview.ts'
import { projectRoutes } from '../api/projects.ts'
import { registryRoutes } from '../api/registries.ts'
import { registryBrowseRoutes } from '../api/registry-browse.ts'
import { registryTrustRoutes, registryUseRoutes } from '../api/registry-use.ts'
import { repositoryRoutes } from '../api/repositories.ts'
import { robotRoutes, systemRobotRoutes } from '../api/robots.ts'
import { runnerRoutes } from '../api/runners.ts'
import { searchRoutes } from '../api/search.ts'
import { sessionRoutes } from '../api/session.ts'
import { tagRoutes } from '../api/tags.ts'
import { transferRoutes } from '../api/transfers.ts'
import { usageRoutes } from '../api/usage.ts'
import { userRoutes } from '../api/users.ts'

/*
 * The browser's code knows no schema of the server, so that none of it is sent there. Its types are
 * compared here, by the compiler: what a route answers must be what the console reads.
 */

/** Compiles only where `route` answers an `Expected`; the value is there for the test to count. */
function answers<Expected>(route: { output: z.ZodType<Expected>; name: string }): string {
  return route.name
}

test('the console reads what the routes answer', () => {
  const compared = [
    answers<Console.Session>(sessionRoutes.get),
    answers<Console.Overview>(overviewRoutes.get),
    answers<{ items: Console.UsageDay[] }>(usageRoutes.ofSystem),
    answers<{ items: Console.UsageDay[] }>(usageRoutes.ofProject),
    answers<Console.Page<Console.Found>>(searchRoutes.names),
    answers<Console.Page<Console.AccessKey>>(accessKeyRoutes.list),
    answers<Console.CreatedAccessKey>(accessKeyRoutes.create),
    answers<Console.Page<Console.ListedProject>>(projectRoutes.list),
    answers<Console.Project>(projectRoutes.get),
    answers<Console.Page<Console.Repository>>(repositoryRoutes.list),
    answers<Console.Page<Console.ListedTag>>(tagRoutes.list),
    answers<Console.Tag>(tagRoutes.get),
    answers<Console.Page<Console.ListedArtifact>>(artifactRoutes.list),
    answers<Console.Artifact>(artifactRoutes.get),
    answers<Console.ManifestText>(artifactContentRoutes.manifest),
    answers<Console.Page<Console.Referrer>>(artifactContentRoutes.referrers),
    answers<Console.Page<Console.ListedChart>>(chartVersionRoutes.list),
    answers<Console.Chart>(chartVersionRoutes.get),
    answers<Console.Page<Console.Member>>(memberRoutes.list),
    answers<Console.Page<Console.Robot>>(robotRoutes.list),
    answers<Console.CreatedRobot>(systemRobotRoutes.create),
    answers<Console.Page<Console.User>>(userRoutes.list),
    answers<Console.Page<Console.ApiToken>>(meRoutes.listTokens),
    answers<Console.CreatedApiToken>(meRoutes.createToken),
    answers<Console.Page<Console.AuditEntry>>(auditRoutes.list),
    answers<Console.Page<Console.Job>>(jobRoutes.list),
    answers<Console.Page<Hub.Registry>>(registryRoutes.list),
    answers<Hub.Registry>(registryRoutes.get),
    answers<{ items: Hub.RegistryUse[] }>(registryRoutes.uses),
    answers<Hub.ConnectionReport>(registryBrowseRoutes.test),
    answers<Hub.BrowsedNames>(registryBrowseRoutes.repositories),
    answers<Hub.RemoteImage>(registryBrowseRoutes.image),
    answers<Console.Page<Hub.Runner>>(runnerRoutes.list),
    answers<Hub.CreatedRunner>(runnerRoutes.create),
    answers<Hub.RunnerInvitation>(runnerRoutes.inviteAgain),
    answers<Hub.Transfer>(transferRoutes.create),
    answers<Console.Page<Hub.Transfer>>(transferRoutes.list),
    answers<Hub.Transfer>(transferRoutes.get),
    answers<Console.Page<Hub.RegistryImage> & Hub.Counted>(imageRoutes.all),
    answers<Console.Page<Hub.ImageSync>>(imageRoutes.syncs),
    answers<Hub.Handout>(registryUseRoutes.handOut),
    answers<Hub.Trust>(registryTrustRoutes.one),
  ]
  expect(new Set(compared).size).toBe(compared.length)
})
