import type { Accounts } from '../../accounts/accounts.ts'
import type { Charts } from '../../charts/charts.ts'
import { writeAudit } from '../../events/audit.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalRegistry } from '../../registry/registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { Face, RequestContext } from '../context.ts'
import { parseBody, readBytes } from '../json-body.ts'
import { asAppError } from '../v2/errors.ts'
import { accountEndpoints } from './account.ts'
import { artifactEndpoints } from './artifacts.ts'
import { chartEndpoints } from './charts.ts'
import { successResponse } from './envelope.ts'
import { ccrErrorResponse } from './errors.ts'
import { createGate } from './gate.ts'
import { parseQuery } from './input.ts'
import { createDocument } from './openapi.ts'
import { decodePart, patternOf } from './path.ts'
import { projectEndpoints } from './projects.ts'
import { repositoryEndpoints } from './repositories.ts'
import type { Endpoint, RawRequest } from './route.ts'
import { CCR_ROUTES } from './routes.ts'
import { INSTANCE } from './schemas.ts'
import { createTimes, type Times } from './times.ts'

export interface CcrDeps {
  db: Db
  clock: Clock
  accounts: Accounts
  registry: LocalRegistry
  charts: Charts
  log: Log
  settings: {
    /** IANA name of the zone in which lists show times. */
    timeZone: string
  }
}

/** What the calls need, made once. */
export interface CcrParts extends CcrDeps {
  times: Times
}

const MAX_BODY_BYTES = 64 * 1024

const BASE = /^\/api\/ccr\/v1\.0\/instances\/([^/]+)(\/.*)$/

/** The CCR OpenAPI of CeaKE 5.2.0, over our own registry. */
export function createCcr(deps: CcrDeps): Face {
  const { clock, accounts, registry, log } = deps
  const parts: CcrParts = { ...deps, times: createTimes(deps.settings.timeZone) }
  const enter = createGate({ authorizer: accounts.authorizer, projects: registry.projects })
  const endpoints = [
    ...projectEndpoints(parts),
    ...repositoryEndpoints(parts),
    ...artifactEndpoints(parts),
    ...chartEndpoints(parts),
    ...accountEndpoints(parts),
  ]
  const byName = new Map(endpoints.map((endpoint) => [endpoint.route.name, endpoint]))
  const calls = CCR_ROUTES.map(({ path, name, method }) => {
    const endpoint = byName.get(name)
    if (!endpoint) throw new Error(`the call ${name} has no handler`)
    return { method, pattern: patternOf(path), endpoint }
  })
  const document = Buffer.from(JSON.stringify(createDocument(CCR_ROUTES)))

  async function answer(endpoint: Endpoint, context: RequestContext, params: Params) {
    const { route, run } = endpoint
    context.route = `ccr.${route.name}`
    // First, so that what is authorised is not out of date when a slow body has arrived.
    const bytes = route.takesBody ? await readBytes(context.request, MAX_BODY_BYTES) : undefined
    const principal = await accounts.authenticator.authenticateApi(
      context.request.headers.get('authorization'),
      context.address,
    )
    context.principal = principal
    const decoded = Object.fromEntries(
      Object.entries(params).map(([name, raw]) => [name, decodePart(name, raw)]),
    )
    const target = await enter(route, decoded, principal)
    const { project } = target as { project?: { id: number } }
    const audit: RawRequest['audit'] = (tx, change) =>
      writeAudit(tx, {
        at: clock(),
        actor: { account: principal.account, name: principal.name },
        action: route.name,
        project: project?.id,
        address: context.address,
        requestId: context.requestId,
        ...change,
      })
    const reply = await run({
      context,
      principal,
      params: decoded,
      target,
      audit,
      query: parseQuery(context.query),
      body: bytes ? parseBody(bytes) : {},
    })
    if (reply instanceof Response) return reply
    const headers: Record<string, string> = {}
    if (reply.warning !== undefined) headers.warning = `299 - "${reply.warning}"`
    return successResponse(context, reply.fields, headers)
  }

  return {
    async handle(context) {
      context.route = 'ccr'
      if (context.path === '/api/ccr/openapi.json') return documentResponse(document, context)
      const [, instance = '', path = ''] = BASE.exec(context.path) ?? []
      if (instance !== INSTANCE) throw nothingAt(context)
      const found = calls.filter(({ pattern }) => pattern.test(path))
      if (found.length === 0) throw nothingAt(context)
      const method = context.method === 'HEAD' ? 'GET' : context.method
      const match = found.find((call) => call.method === method)
      if (!match) throw otherMethod(context, [...new Set(found.map((call) => call.method))])
      return answer(match.endpoint, context, { ...match.pattern.exec(path)?.groups })
    },

    renderError(error, context) {
      const known = asAppError(error, context.requestId)
      if (known.code === 'internal') {
        log.error('request failed', { id: context.requestId, route: context.route, error })
      }
      return ccrErrorResponse(known, context)
    },
  }
}

type Params = Record<string, string>

function documentResponse(document: Buffer, context: RequestContext): Response {
  if (context.method !== 'GET' && context.method !== 'HEAD') throw otherMethod(context, ['GET'])
  return new Response(context.method === 'HEAD' ? null : new Uint8Array(document), {
    headers: {
      'content-type': 'application/json',
      'content-length': String(document.length),
      'cache-control': 'no-cache',
    },
  })
}

function nothingAt({ path }: RequestContext): AppError {
  return new AppError(
    'not_found',
    `there is nothing at ${path.slice(0, 200)}; the one instance is "${INSTANCE}"`,
  )
}

function otherMethod({ method }: RequestContext, methods: string[]): AppError {
  const allow = methods.join(', ')
  return new AppError('method_unsupported', `${method} is not supported here; use ${allow}`, {
    headers: { allow },
  })
}
