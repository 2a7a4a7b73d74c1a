import type { Accounts } from '../../accounts/accounts.ts'
import { writeAudit } from '../../events/audit.ts'
import type { Registries } from '../../hub/registries/registries.ts'
import type { JobQueue } from '../../jobs/queue.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalRegistry } from '../../registry/registry.ts'
import type { Db } from '../../store/db/database.ts'
import type { Face, RequestContext } from '../context.ts'
import { asAppError } from '../v2/errors.ts'
import { apiUnknown, hssErrorResponse, jsonResponse } from './errors.ts'
import { createGate } from './gate.ts'
import { createIdentify } from './identify.ts'
import { uploadCommandEndpoint } from './image-upload-command.ts'
import { parseBody, parseQuery, readBytes } from './input.ts'
import { inventoryEndpoints } from './inventory.ts'
import { createKeystone } from './keystone.ts'
import { registryEndpoints } from './registries.ts'
import type { Endpoint, RawRequest } from './route.ts'
import { HSS_ROUTES } from './routes.ts'

export interface HssDeps {
  db: Db
  clock: Clock
  accounts: Accounts
  registry: LocalRegistry
  registries: Registries
  queue: JobQueue
  log: Log
  /** Ids that `connect_cluster_id` may have in a project, `local` among them. */
  clusters(project: number): Promise<readonly string[]>
}

const BASE = /^\/v5\/([^/]+)(\/.*)$/

/** Huawei Cloud HSS v5: the registries of a project for inspection, and Keystone's sign-in. */
export function createHss(deps: HssDeps): Face {
  const { clock, accounts, registry, log } = deps
  const identify = createIdentify(accounts)
  const enter = createGate({ authorizer: accounts.authorizer, projects: registry.projects })
  const keystone = createKeystone({ accounts, projects: registry.projects, identify })
  const byName = new Map(
    [...registryEndpoints(deps), uploadCommandEndpoint(deps), ...inventoryEndpoints(deps)].map(
      (endpoint) => [endpoint.route.name, endpoint] as const,
    ),
  )
  const calls = HSS_ROUTES.map(({ path, name, method }) => {
    const endpoint = byName.get(name)
    if (!endpoint) throw new Error(`the call ${name} has no handler`)
    return { method, pattern: patternOf(path), endpoint }
  })

  async function answer(
    endpoint: Endpoint,
    context: RequestContext,
    asked: string,
    params: Params,
  ) {
    const { route, run } = endpoint
    context.route = `hss.${route.name}`
    // First: the signature is of the body too.
    const bytes = await readBytes(context.request)
    const identified = await identify(context, bytes)
    const { principal } = identified
    context.principal = principal
    const named = context.request.headers.get('x-project-id')
    const project = await enter(route, decoded(asked), named, identified)
    const audit: RawRequest['audit'] = (tx, change) =>
      writeAudit(tx, {
        at: clock(),
        actor: principal,
        project: project.id,
        address: context.address,
        requestId: context.requestId,
        ...change,
      })
    const reply = await run({
      context,
      principal,
      project,
      audit,
      params: Object.fromEntries(Object.entries(params).map(([name, raw]) => [name, decoded(raw)])),
      query: parseQuery(context.query),
      body: route.takesBody ? parseBody(bytes) : {},
    })
    if (reply !== undefined) return jsonResponse(200, reply, {}, context.method)
    return new Response(null, {
      status: 200,
      headers: { 'content-length': '0', 'cache-control': 'no-store' },
    })
  }

  return {
    async handle(context) {
      context.route = 'hss'
      if (keystone.owns(context.path)) return keystone.handle(context)
      const [, asked = '', path = ''] = BASE.exec(context.path) ?? []
      const method = context.method === 'HEAD' ? 'GET' : context.method
      const match = calls.find((call) => call.method === method && call.pattern.test(path))
      if (!match) throw apiUnknown(context)
      return answer(match.endpoint, context, asked, { ...match.pattern.exec(path)?.groups })
    },

    renderError(error, context) {
      const known = asAppError(error, context.requestId)
      if (known.code === 'internal') {
        log.error('request failed', { id: context.requestId, route: context.route, error })
      }
      return keystone.owns(context.path)
        ? keystone.errorResponse(known, context)
        : hssErrorResponse(known, context)
    },
  }
}

type Params = Record<string, string>

/** Parts in braces are named groups; SDKs that sign may end a path with a slash. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}/?$`)
}

/** What cannot be decoded is the id of nothing. */
function decoded(raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}
