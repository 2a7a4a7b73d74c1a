import type { Authenticator } from '../../accounts/authenticate.ts'
import type { Authorizer, Decision, ProjectRef, Resource } from '../../accounts/authorize.ts'
import { anonymous, type Principal } from '../../accounts/principal.ts'
import { AppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { parseRepositoryName, type RepositoryName } from '../../oci/reference.ts'
import type { Pulls } from '../../registry/pulls.ts'
import type { LocalRegistry } from '../../registry/registry.ts'
import type { Face, RequestContext } from '../context.ts'
import { blobHandlers } from './blobs.ts'
import { challenge } from './challenge.ts'
import { asAppError, errorResponse } from './errors.ts'
import { listHandlers } from './lists.ts'
import { manifestHandlers } from './manifests.ts'
import { matchRoute, type V2Match, type V2Route } from './routes.ts'
import { uploadHandlers } from './uploads.ts'

export interface V2Deps {
  registry: LocalRegistry
  pulls: Pulls
  authenticator: Authenticator
  authorizer: Authorizer
  log: Log
  metrics: Metrics
  settings: V2Settings
}

export interface V2Settings {
  /** A body that brings no byte for so long is given up. */
  bodyIdleMs: number
  /** Projects that a push creates are public. */
  publicByDefault: boolean
  /** Addresses and CIDR ranges of clients that are never sent to the store itself. */
  redirectExcept: readonly string[]
}

/** A request that may do what its route is for. */
export interface V2Request {
  context: RequestContext
  principal: Principal
  /** The repository as the client named it, for Location, Link and `name`. */
  asked: string
  /** Its canonical name. */
  name: RepositoryName
  project: ProjectRef | undefined
  /** Reference, digest or id of the path. */
  target: string
}

export type V2Handler = (request: V2Request) => Promise<Response>

/** What every answer says. */
const COMMON_HEADERS = {
  /** Some Docker versions decide by this header whether this is a v2 registry. */
  'docker-distribution-api-version': 'registry/2.0',
  /** A browser that is led to a blob or manifest runs nothing of it, nor shows it in a frame. */
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
}
const COMMON = Object.entries(COMMON_HEADERS)

/** The OCI distribution API (distribution-spec 1.1.1 and its main branch). */
export function createV2(deps: V2Deps): Face {
  const { registry, authenticator, authorizer, log } = deps
  const handlers: Record<string, V2Handler> = {
    ...manifestHandlers(deps),
    ...blobHandlers(deps),
    ...uploadHandlers(deps),
    ...listHandlers(deps),
  }

  async function authorize(
    { route, name: asked }: V2Match,
    name: RepositoryName | undefined,
    project: ProjectRef | undefined,
    context: RequestContext,
    principal: Principal,
  ): Promise<void> {
    if (!route.action) return
    const resource: Resource = name
      ? { kind: 'repository', repository: name.full, project }
      : { kind: 'system' }
    const decision = await authorizer.authorize(principal, route.action, resource)
    if (!decision.allowed) throw refusal(decision, context, route, asked)
  }

  return {
    async handle(context) {
      const match = matchRoute(context.method, context.path)
      if ('allowed' in match) throw noRoute(match.allowed, context)
      const { route, name: asked, target } = match
      context.route = route.name
      const principal = await identify(context, route, asked)
      context.principal = principal
      if (route.name === 'ping') return ping(context, principal)
      const name = asked === '' ? undefined : parseRepositoryName(asked)
      if (asked !== '' && !name) throw nameInvalid(asked)
      const project = name && (await registry.projects.find(name.project))
      await authorize(match, name, project, context, principal)
      refuseNul(context.query)
      const handler = handlers[route.name]
      if (!handler) throw new AppError('internal', `route ${route.name} has no handler`)
      const response = await handler({
        context,
        principal,
        asked,
        name: name ?? NO_REPOSITORY,
        project,
        target,
      })
      for (const [header, value] of COMMON) response.headers.set(header, value)
      return response
    },

    renderError(error, context) {
      const known = asAppError(error, context.requestId)
      if (known.code === 'internal') {
        log.error('request failed', { id: context.requestId, route: context.route, error })
      }
      return errorResponse(known, COMMON_HEADERS)
    },
  }

  function identify(context: RequestContext, route: V2Route, asked: string): Promise<Principal> {
    const header = context.request.headers.get('authorization')
    return challenged(context, route, asked, () =>
      authenticator.authenticate(header, context.address),
    )
  }
}

/** Bad credentials are answered like missing ones: with the challenge of the route. */
export async function challenged<T>(
  context: RequestContext,
  route: Pick<V2Route, 'scope'>,
  asked: string,
  prove: () => Promise<T>,
): Promise<T> {
  try {
    return await prove()
  } catch (error) {
    if (error instanceof AppError && error.code === 'unauthenticated') {
      error.details.headers = {
        'www-authenticate': challenge({
          origin: context.origin,
          scope: scopeOf(route, asked, context.query),
          error: error.details.error === 'invalid_token' ? 'invalid_token' : undefined,
        }),
      }
    }
    throw error
  }
}

/** For routes that are not about a repository. */
const NO_REPOSITORY: RepositoryName = { project: '', path: '', full: '' }

/**
 * docker and containers/image read the challenge from here only, so it is given even where
 * anonymous callers may pull: they get an anonymous token.
 */
function ping(context: RequestContext, principal: Principal): Response {
  if (principal.kind === 'anonymous' && !principal.scope) {
    throw new AppError('unauthenticated', 'sign in, or get an anonymous token', {
      headers: { 'www-authenticate': challenge({ origin: context.origin }) },
    })
  }
  return new Response(context.method === 'HEAD' ? null : '{}', {
    headers: { ...COMMON_HEADERS, 'content-type': 'application/json', 'content-length': '2' },
  })
}

/** A refusal with what the client needs to get further, if anything. */
export function refusal(
  decision: Exclude<Decision, { allowed: true }>,
  context: RequestContext,
  route: Pick<V2Route, 'scope'>,
  asked: string,
): AppError {
  const { code, reason } = decision
  if (code === 'denied') return new AppError('denied', reason)
  const scope = scopeOf(route, asked, context.query)
  return new AppError(code, reason, {
    headers: {
      'www-authenticate': challenge({
        origin: context.origin,
        scope,
        error: code === 'insufficient_scope' ? code : undefined,
        description: reason,
      }),
    },
  })
}

/**
 * What a token for this request must hold. A mount needs its source too: clients exist that answer
 * only one challenge.
 */
function scopeOf(
  { scope }: Pick<V2Route, 'scope'>,
  asked: string,
  query: URLSearchParams,
): string | undefined {
  // What is not a repository name is not echoed into a header.
  if (asked !== '' && !parseRepositoryName(asked)) return undefined
  const own = scope?.replace('{name}', asked)
  const source = query.has('mount') ? query.get('from') : null
  return source && parseRepositoryName(source) ? `${own} repository:${source}:pull` : own
}

function noRoute(allowed: string[], context: RequestContext): AppError {
  if (allowed.length === 0) {
    return new AppError('not_found', `there is nothing at ${context.path.slice(0, 200)}`)
  }
  return new AppError(
    'method_unsupported',
    `${context.method} is not supported here; use ${allowed.join(', ')}`,
    { headers: { allow: allowed.join(', ') } },
  )
}

/** Nothing here has one in its name, and PostgreSQL fails at a text with one. */
function refuseNul(query: URLSearchParams): void {
  for (const [name, value] of query) {
    if (!value.includes('\0')) continue
    throw new AppError('invalid_input', `the parameter "${name.slice(0, 50)}" has a NUL in it`)
  }
}

function nameInvalid(name: string): AppError {
  return new AppError(
    'name_invalid',
    `"${name.slice(0, 100)}" is not a repository name: use lower-case letters and digits with single ".", "_" or "-" between them, parts joined by "/", at most 255 characters`,
  )
}

/** Anonymous callers with an anonymous token are anonymous too. */
export function accountOf(principal: Principal): number | null {
  return principal.account ?? anonymous.account
}
