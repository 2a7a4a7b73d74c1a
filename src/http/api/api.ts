import { Hono } from 'hono'
import type { Accounts } from '../../accounts/accounts.ts'
import { anonymous } from '../../accounts/principal.ts'
import type { Charts } from '../../charts/charts.ts'
import { writeAudit } from '../../events/audit.ts'
import type { Browse } from '../../hub/browse/browse.ts'
import type { Checks } from '../../hub/health/checks.ts'
import type { Registries } from '../../hub/registries/registries.ts'
import type { RunnerService } from '../../hub/runners/service.ts'
import type { Handouts } from '../../hub/use/handouts.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalRegistry } from '../../registry/registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { Face, RequestContext } from '../context.ts'
import { asAppError } from '../v2/errors.ts'
import { accessKeyEndpoints } from './access-keys.ts'
import { artifactContentEndpoints } from './artifact-contents.ts'
import { artifactEndpoints } from './artifacts.ts'
import { auditEndpoints } from './audit.ts'
import { chartVersionEndpoints } from './chart-versions.ts'
import { problemResponse } from './errors.ts'
import { liveEvents } from './events.ts'
import { createGate } from './gate.ts'
import { imageEndpoints } from './images.ts'
import { readJson } from './input.ts'
import { jobEndpoints } from './jobs.ts'
import { meEndpoints } from './me.ts'
import { memberEndpoints } from './members.ts'
import { BASE } from './openapi.ts'
import { overviewEndpoints } from './overview.ts'
import { etagOf, ifMatch } from './preconditions.ts'
import { projectEndpoints } from './projects.ts'
import { registryEndpoints } from './registries.ts'
import { registryBrowseEndpoints } from './registry-browse.ts'
import { registryTrustEndpoints, registryUseEndpoints } from './registry-use.ts'
import { repositoryEndpoints } from './repositories.ts'
import { robotEndpoints } from './robots.ts'
import type { ApiRoute, Endpoint, RawRequest, Reply } from './route.ts'
import { API_ROUTES } from './routes.ts'
import { runnerProtocolEndpoints } from './runner-protocol.ts'
import { runnerEndpoints } from './runners.ts'
import { searchEndpoints } from './search.ts'
import { SESSION_PATH, sessionEndpoints } from './session.ts'
import { identifySession } from './session-cookie.ts'
import { systemEndpoints } from './system.ts'
import { tagEndpoints } from './tags.ts'
import { transferEndpoints } from './transfers.ts'
import { usageEndpoints } from './usage.ts'
import { userEndpoints } from './users.ts'

/** A body that took longer has outlived part of the time that a grant is good for. */
const ASK_AGAIN_AFTER_MS = 1_000

export interface ApiDeps {
  db: Db
  clock: Clock
  accounts: Accounts
  registry: LocalRegistry
  charts: Charts
  registries: Registries
  runners: RunnerService
  handouts: Handouts
  checks: Checks
  browse: Browse
  queue: JobQueue
  log: Log
  settings: {
    /** Of projects that are created without saying so. */
    publicByDefault: boolean
    /** Milliseconds between two looks for changes; a second unless set. */
    lookMs?: number
  }
}

/** The own REST API, `/api/v1`. */
export function createApi(deps: ApiDeps): Face {
  const { clock, accounts, registry, runners, log } = deps
  const enter = createGate({ authorizer: accounts.authorizer, projects: registry.projects })
  const live = liveEvents(deps)
  const endpoints = [
    ...projectEndpoints(deps),
    ...memberEndpoints(deps),
    ...robotEndpoints(deps),
    ...repositoryEndpoints(deps),
    ...artifactEndpoints(deps),
    ...artifactContentEndpoints(deps),
    ...chartVersionEndpoints(deps),
    ...tagEndpoints(deps),
    // Before what has an id in the place of a word.
    ...registryTrustEndpoints(deps),
    ...registryBrowseEndpoints(deps),
    ...registryEndpoints(deps),
    ...registryUseEndpoints(deps),
    ...imageEndpoints(deps),
    // Before what has an id in the place of a word.
    ...runnerProtocolEndpoints(deps),
    ...runnerEndpoints(deps),
    ...transferEndpoints(deps),
    ...live.endpoints,
    ...sessionEndpoints(deps),
    ...meEndpoints(deps),
    ...accessKeyEndpoints(deps),
    ...userEndpoints(deps),
    ...auditEndpoints(deps),
    ...jobEndpoints(deps),
    ...overviewEndpoints(deps),
    ...usageEndpoints(deps),
    ...searchEndpoints(deps),
    ...systemEndpoints(() => API_ROUTES),
  ]

  async function identify(context: RequestContext, route: ApiRoute, params: Params) {
    const header = context.request.headers.get('authorization')
    if (route.permission === 'runner') {
      const runner = await runners.access.authenticate(header)
      const principal = { ...anonymous, name: `runner ${runner.id}` }
      context.principal = principal
      return { principal, target: { runner } }
    }
    const principal =
      header === null
        ? await identifySession(accounts.sessions, context, route.path === SESSION_PATH)
        : await accounts.authenticator.authenticateApi(header, context.address)
    context.principal = principal
    return { principal, target: await enter(route, params, principal) }
  }

  async function answer({ route, run }: Endpoint, context: RequestContext, params: Params) {
    context.route = `api.${route.name}`
    let entered = await identify(context, route, params)
    const version = ifMatch(context.request.headers.get('if-match'), route)
    const startedAt = performance.now()
    const body = route.takesBody ? await readJson(context.request) : {}
    if (performance.now() - startedAt > ASK_AGAIN_AFTER_MS) {
      entered = await identify(context, route, params)
    }
    const { principal, target } = entered
    const { project } = target as { project?: { id: number } }
    const auditAs: RawRequest['auditAs'] = (actor) => (tx, change) =>
      writeAudit(tx, {
        at: clock(),
        actor,
        action: route.name,
        project: project?.id,
        address: context.address,
        requestId: context.requestId,
        ...change,
      })
    const query = queryOf(context)
    const audit = auditAs(principal)
    const raw = { context, principal, target, params, query, body, version, audit, auditAs }
    return render(route, await run(raw), context)
  }

  // The path as it came, which is the one that was logged; Hono would decode parts of it first.
  const app = new Hono<{ Bindings: { context: RequestContext } }>({
    getPath: (_, options) => options?.env?.context.path ?? '',
  })
  for (const endpoint of endpoints) {
    const { method, path } = endpoint.route
    app.on(method, routingPath(path), (c) => answer(endpoint, c.env.context, c.req.param()))
  }
  for (const path of new Set(endpoints.map(({ route }) => route.path))) {
    const methods = endpoints.filter(({ route }) => route.path === path)
    const allow = allowed(methods.map(({ route }) => route.method))
    app.all(routingPath(path), (c) => otherMethod(c.env.context, allow))
  }
  app.notFound((c) => {
    const { path } = c.env.context
    throw new AppError('not_found', `there is nothing at ${path.slice(0, 200)}`)
  })
  app.onError((error) => {
    throw error
  })

  return {
    async handle(context) {
      context.route = 'api'
      return app.fetch(context.request, { context })
    },
    renderError(error, context) {
      const known = asAppError(error, context.requestId)
      if (known.code === 'internal') {
        log.error('request failed', { id: context.requestId, route: context.route, error })
      }
      return problemResponse(known, context)
    },
    stop() {
      live.watch.close()
      runners.tasks.stop()
    },
  }
}

type Params = Record<string, string>

const routingPath = (path: string): string => BASE + path.replace(/\{(\w+)\}/g, ':$1')

function allowed(methods: string[]): string {
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')
}

function otherMethod(context: RequestContext, allow: string): Response {
  if (context.method === 'OPTIONS') {
    return new Response(null, { status: 204, headers: { allow, 'cache-control': 'no-store' } })
  }
  throw new AppError(
    'method_unsupported',
    `${context.method} is not supported here; use ${allow}`,
    {
      headers: { allow },
    },
  )
}

/** @throws AppError invalid_input when a parameter is there twice */
function queryOf({ query }: RequestContext): Params {
  const names = [...query.keys()]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    const field = twice.slice(0, 100)
    throw new AppError('invalid_input', `"${field}" is in the query twice`, { field })
  }
  return Object.fromEntries(query)
}

function render(route: ApiRoute, reply: Reply<unknown>, context: RequestContext): Response {
  const { version, location, next, cookie } = reply
  const headers: Record<string, string> = { 'cache-control': 'no-store' }
  if (cookie !== undefined) headers['set-cookie'] = cookie
  if (version !== undefined) headers.etag = etagOf(version)
  if (location !== undefined && route.status === 201) headers.location = BASE + location
  if (next !== undefined)
    headers.link = `<${context.path}?${queryAfter(context, next)}>; rel="next"`
  if (route.status === 204) return new Response(null, { status: 204, headers })
  if (route.streams) {
    headers['content-type'] = 'text/event-stream'
    // nginx would hold events back until its buffer is full.
    headers['x-accel-buffering'] = 'no'
    return new Response(reply.stream ?? null, { headers })
  }
  const body = Buffer.from(JSON.stringify(reply.body))
  headers['content-type'] = 'application/json'
  // So that HEAD, which is answered without the body, has it too.
  headers['content-length'] = String(body.length)
  return new Response(body, { status: route.status, headers })
}

function queryAfter({ query }: RequestContext, next: string): URLSearchParams {
  const following = new URLSearchParams(query)
  following.set('after', next)
  return following
}
