import { createCharts } from '../charts/charts.ts'
import { servedConsoleFolder } from '../console/paths.ts'
import { isChartPath } from '../http/charts/routes.ts'
import type { Face } from '../http/context.ts'
import { lazyFace } from '../http/lazy-face.ts'
import { ROOT_HINT } from '../http/operations.ts'
import { tokenFace } from '../http/token/face.ts'
import { createGrant } from '../http/token/grants.ts'
import { createTokenEndpoint } from '../http/token/token.ts'
import { TOKEN_SERVICE } from '../http/v2/challenge.ts'
import { createV2 } from '../http/v2/v2.ts'
import { systemClock } from '../lib/clock.ts'
import type { ProcessContext } from '../lib/process.ts'
import type { Pulls } from '../registry/pulls.ts'
import { createHubAccess, USER_AGENT } from './hub-access.ts'
import type { Parts } from './parts.ts'

/** A face, and the paths that are its own. */
interface FaceEntry {
  owns(path: string): boolean
  face: Face
}

const under = (...bases: string[]) => {
  return (path: string) => bases.some((base) => path === base || path.startsWith(`${base}/`))
}

/**
 * Every face but the operations. What serves images is there at once; the others load their code
 * when somebody asks for them, since most processes never need it.
 */
export function createFaces(parts: Parts & { pulls: Pulls }, context: ProcessContext): FaceEntry[] {
  const { config, log, metrics } = context
  const { db, accounts, registry, registries, pulls, queue } = parts
  const { authenticator, authorizer } = accounts
  const clock = systemClock
  const charts = createCharts({ db, registry })
  const hub = createHubAccess(parts, context)
  const uploads = {
    bodyIdleMs: config.uploads.idleTimeout,
    publicByDefault: config.projects.publicByDefault,
    redirectExcept: config.storage.s3.redirectExcept,
  }

  return [
    {
      owns: under('/v2'),
      face: createV2({
        registry,
        pulls,
        authenticator,
        authorizer,
        log,
        metrics,
        settings: uploads,
      }),
    },
    {
      owns: (path) => path === '/token',
      face: tokenFace(
        createTokenEndpoint({
          authenticator,
          registryTokens: accounts.registryTokens,
          refreshTokens: accounts.refreshTokens,
          grant: createGrant({ authorizer, findProject: registry.projects.find }),
        }),
        log,
      ),
    },
    {
      owns: under('/api/v1'),
      face: lazyFace(async () => {
        const { createApi } = await import('../http/api/api.ts')
        const { createHandouts } = await import('../hub/use/handouts.ts')
        const { createRegistryLogin } = await import('../hub/use/registry-login.ts')
        const { createBrowse } = await import('../hub/browse/browse.ts')
        const { createRunnerService } = await import('../hub/runners/service.ts')
        const { createCopyTokens } = await import('../hub/runners/copy-tokens.ts')
        const { fetch, connections, checks } = await hub()
        const loginTo = createRegistryLogin({ fetch, clock, userAgent: USER_AGENT })
        return createApi({
          db,
          clock,
          accounts,
          registry,
          charts,
          registries,
          runners: createRunnerService({
            db,
            clock,
            queue,
            log,
            issueCopyToken: createCopyTokens({
              db,
              clock,
              tokens: accounts.registryTokens,
              access: { authorizer, projects: registry.projects, registries },
              service: TOKEN_SERVICE,
            }),
          }),
          handouts: createHandouts({ db, clock, registries, loginTo }),
          checks,
          browse: createBrowse({ connections, clock }),
          queue,
          log,
          settings: { publicByDefault: config.projects.publicByDefault },
        })
      }),
    },
    {
      owns: under('/v5', '/v3'),
      face: lazyFace(async () => {
        const { createHss } = await import('../http/hss/hss.ts')
        const { knownRunners } = await import('../hub/runners/keys.ts')
        return createHss({
          db,
          clock,
          accounts,
          registry,
          registries,
          queue,
          log,
          clusters: (project) => knownRunners(db.query, project),
        })
      }),
    },
    {
      owns: under('/openapi'),
      face: lazyFace(async () => {
        const { createZadig } = await import('../http/zadig/zadig.ts')
        return createZadig({ clock, accounts, registries, log, settings: config.zadig })
      }),
    },
    {
      owns: under('/api/ccr'),
      face: lazyFace(async () => {
        const { createCcr } = await import('../http/ccr/ccr.ts')
        return createCcr({
          db,
          clock,
          accounts,
          registry,
          charts,
          log,
          settings: { timeZone: config.ccr.timeZone },
        })
      }),
    },
    {
      owns: isChartPath,
      face: lazyFace(async () => {
        const { createChartFace } = await import('../http/charts/face.ts')
        return createChartFace({ charts, registry, accounts, clock, log, settings: uploads })
      }),
    },
    ...(config.console.enabled ? [consoleEntry()] : []),
  ]
}

/** Pages for people: at every address that is no other face's, also to say that there is none. */
function consoleEntry(): FaceEntry {
  return {
    owns: () => true,
    face: lazyFace(async () => {
      const { createConsoleFace } = await import('../http/console/face.ts')
      const { openConsoleFolder } = await import('../console/assets.ts')
      const folder = servedConsoleFolder()
      const open = async () => (folder === undefined ? undefined : openConsoleFolder(folder))
      return createConsoleFace({ open, hint: ROOT_HINT })
    }),
  }
}
