import packageJson from '../../../package.json'
import type { Accounts } from '../../accounts/accounts.ts'
import type { ProjectRef } from '../../accounts/authorize.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { Charts } from '../../charts/charts.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { isProjectName, isRepositoryPath, type RepositoryName } from '../../oci/reference.ts'
import type { LocalRegistry } from '../../registry/registry.ts'
import type { Face, RequestContext } from '../context.ts'
import { asAppError } from '../v2/errors.ts'
import { errorResponse } from './errors.ts'
import { readHandlers } from './reads.ts'
import { type ChartMatch, type ChartRoute, type ChartTarget, matchRoute } from './routes.ts'
import { writeHandlers } from './writes.ts'

export interface ChartFaceDeps {
  charts: Charts
  registry: LocalRegistry
  accounts: Pick<Accounts, 'authenticator' | 'authorizer'>
  clock: Clock
  log: Log
  settings: {
    /** A body that brings no byte for so long is given up. */
    bodyIdleMs: number
    /** Projects that a push creates are public. */
    publicByDefault: boolean
  }
}

/** A request that may do what its route is for. */
export interface ChartRequest {
  context: RequestContext
  principal: Principal
  route: ChartRoute
  target: ChartTarget
  /** By name; it may not exist, where whoever asks may create it. */
  projectName: string
  project: ProjectRef | undefined
  /** The path between project and chart; empty: none. */
  folder: string
}

export type ChartHandler = (request: ChartRequest) => Promise<Response>

/** Helm repositories and the ChartMuseum API. */
export function createChartFace(deps: ChartFaceDeps): Face {
  const { registry, accounts, log } = deps
  const handlers: Record<string, ChartHandler> = {
    health: async () => jsonResponse({ healthy: true }),
    info: async () => jsonResponse({ version: packageJson.version }),
    ...readHandlers(deps),
    ...writeHandlers(deps),
  }

  async function enter({ route, target }: ChartMatch, context: RequestContext) {
    const header = context.request.headers.get('authorization')
    const principal = await accounts.authenticator.authenticateApi(header, context.address)
    context.principal = principal
    // No name has such characters, and PostgreSQL takes no NUL.
    if (Object.values(target).some((text) => /\p{Cc}/u.test(text))) throw nothingAt(context)
    const [projectName = '', ...rest] = target.repository.split('/')
    const folder = rest.join('/')
    if (route.action) {
      if (!isProjectName(projectName) || (folder !== '' && !isRepositoryPath(folder))) {
        throw nothingAt(context)
      }
      const project = await registry.projects.find(projectName)
      const repository = `${target.repository}/${target.chart || '-'}`
      const resource = { kind: 'repository', repository, project } as const
      await accounts.authorizer.demand(principal, route.action, resource)
      return { context, principal, route, target, projectName, project, folder }
    }
    return { context, principal, route, target, projectName, project: undefined, folder }
  }

  return {
    async handle(context) {
      context.route = 'charts'
      const match = matchRoute(context.method, context.path)
      if ('allowed' in match) throw noRoute(match.allowed, context)
      context.route = `charts.${match.route.name}`
      const handler = handlers[match.route.name]
      if (!handler) throw new AppError('internal', `route ${match.route.name} has no handler`)
      const response = await handler(await enter(match, context))
      if (context.method !== 'HEAD') return response
      return new Response(null, { status: response.status, headers: response.headers })
    },

    renderError(error, context) {
      const known = asAppError(error, context.requestId)
      if (known.code === 'internal') {
        log.error('request failed', { id: context.requestId, route: context.route, error })
      }
      return errorResponse(known)
    },
  }
}

/** The repository of the chart that the path names. @throws AppError not_found */
export function chartOf({ projectName, folder, target, context }: ChartRequest): RepositoryName {
  const path = folder === '' ? target.chart : `${folder}/${target.chart}`
  if (target.chart.includes('/') || !isRepositoryPath(path)) throw nothingAt(context)
  return { project: projectName, path, full: `${projectName}/${path}` }
}

/** With its length, so that HEAD has it too. */
export function jsonResponse(body: unknown, status = 200): Response {
  return textResponse(JSON.stringify(body), 'application/json', status)
}

export function textResponse(body: string | Uint8Array, type: string, status = 200): Response {
  const bytes = Buffer.from(body)
  return new Response(bytes, {
    status,
    headers: {
      'content-type': type,
      'content-length': String(bytes.length),
      'cache-control': 'no-cache',
      // What people packed is not ours to run in a browser.
      'x-content-type-options': 'nosniff',
    },
  })
}

function nothingAt({ path }: RequestContext): AppError {
  return new AppError('not_found', `there is nothing at ${path.slice(0, 200)}`)
}

function noRoute(allowed: string[], context: RequestContext): AppError {
  if (allowed.length === 0) return nothingAt(context)
  const allow = allowed.join(', ')
  return new AppError(
    'method_unsupported',
    `${context.method} is not supported here; use ${allow}`,
    { headers: { allow } },
  )
}
