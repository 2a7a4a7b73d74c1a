import type { Accounts } from '../../accounts/accounts.ts'
import type { Principal } from '../../accounts/principal.ts'
import { writeAudit } from '../../events/audit.ts'
import { registryDetails } from '../../hub/registries/audit-details.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import type { Registries } from '../../hub/registries/registries.ts'
import { registryUnknown } from '../../hub/registries/uses.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { Tx } from '../../store/db/database.ts'
import type { Face, RequestContext } from '../context.ts'
import { parseBody, readBytes } from '../json-body.ts'
import { asAppError } from '../v2/errors.ts'
import { jsonAnswer } from './answer.ts'
import { parseChange, parseNew } from './body.ts'
import { zadigErrorResponse } from './errors.ts'
import { ZADIG_ROUTES, type ZadigRoute, zadigRoutes } from './routes.ts'

export interface ZadigDeps {
  clock: Clock
  accounts: Accounts
  registries: Registries
  log: Log
  settings: {
    /** What `enable_tls` means where it is left out of a new registry. */
    enableTlsDefault: boolean
  }
}

/** Room for the certificates of a CA. */
const MAX_BODY_BYTES = 256 * 1024
const SUCCESS = { message: 'success' }

interface Call {
  context: RequestContext
  principal: Principal
  /** As it stands in the path. */
  id: string
  body: Uint8Array
}

/** Zadig's OpenAPI for registries (v1.6 to v4.0), over the hub's own records. */
export function createZadig(deps: ZadigDeps): Face {
  const { clock, accounts, registries, log, settings } = deps

  function auditOf({ context, principal }: Call, { name }: ZadigRoute) {
    return (tx: Tx, registry: RegistryRecord, previous?: RegistryRecord) =>
      writeAudit(tx, {
        at: clock(),
        actor: { account: principal.account, name: principal.name },
        action: name,
        resource: registry.name,
        address: context.address,
        requestId: context.requestId,
        details: registryDetails(registry, previous),
      })
  }

  async function find(id: string): Promise<RegistryRecord> {
    const registry = await registries.get(id)
    if (!registry) throw registryUnknown(id)
    return registry
  }

  const handlers: Record<keyof typeof zadigRoutes, (call: Call) => Promise<unknown>> = {
    async create(call) {
      const input = parseNew(parseBody(call.body), { verifyTls: settings.enableTlsDefault })
      const { account: createdBy, isAdmin: mayUsePrivate } = call.principal
      const audit = auditOf(call, zadigRoutes.create)
      await registries.create(
        { ...input, projects: 'all', origin: 'zadig', createdBy },
        { mayUsePrivate },
        audit,
      )
      return SUCCESS
    },
    async list({ principal: { isAdmin, account } }) {
      const found = await registries.list(isAdmin ? {} : { visibleTo: account })
      return found.map(viewOf)
    },
    get: async ({ id }) => viewOf(await find(id)),
    async update(call) {
      const previous = await find(call.id)
      const { isAdmin: mayUsePrivate } = call.principal
      const audit = auditOf(call, zadigRoutes.update)
      const change = parseChange(parseBody(call.body), previous)
      await registries.update(call.id, change, { mayUsePrivate }, (tx, changed) =>
        audit(tx, changed.registry, changed.previous),
      )
      return SUCCESS
    },
    async remove(call) {
      const successor = call.context.query.get('successor') ?? undefined
      const audit = auditOf(call, zadigRoutes.remove)
      await registries.remove(call.id, { successor }, (tx, registry) => audit(tx, registry))
      return SUCCESS
    },
  }
  const calls = Object.entries(zadigRoutes).map(([key, route]) => ({
    route,
    handle: handlers[key as keyof typeof zadigRoutes],
  }))

  async function identify(context: RequestContext, route: ZadigRoute): Promise<Principal> {
    const header = context.request.headers.get('authorization')
    if (header === null && context.query.has('token')) {
      throw new AppError(
        'unauthenticated',
        'send the API token as "Authorization: Bearer …"; in the query it would stand in the logs of every proxy on the way',
      )
    }
    const principal = await accounts.authenticator.authenticateApi(header, context.address)
    context.principal = principal
    await accounts.authorizer.demand(principal, route.permission, { kind: 'system' })
    return principal
  }

  return {
    async handle(context) {
      context.route = 'zadig'
      const { path } = context
      const id = /^\/openapi\/system\/registry\/([^/]+)\/?$/.exec(path)?.[1]
      const asked = id === undefined ? path.replace(/\/$/, '') : zadigRoutes.get.path
      const there = calls.filter(({ route }) => route.path === asked)
      if (there.length === 0) throw asText('not_found', `Invalid path: ${path}`)
      const method = context.method === 'HEAD' ? 'GET' : context.method
      const found = there.find(({ route }) => route.method === method)
      if (!found) throw otherMethod(context)
      context.route = `zadig.${found.route.name}`
      // First, so that what is authorised is not out of date when a slow body has arrived.
      const body = await readBytes(context.request, MAX_BODY_BYTES)
      const principal = await identify(context, found.route)
      return jsonAnswer(
        context,
        200,
        await found.handle({ context, principal, id: id ?? '', body }),
      )
    },

    renderError(error, context) {
      const known = asAppError(error, context.requestId)
      if (known.code === 'internal') {
        log.error('request failed', { id: context.requestId, route: context.route, error })
      }
      return zadigErrorResponse(known, context)
    },
  }

  function otherMethod({ method, path }: RequestContext): AppError {
    const isOne = path.startsWith(`${zadigRoutes.list.path}/`)
    const allow = ZADIG_ROUTES.filter((route) => route.path.endsWith(':id') === isOne)
      .map((route) => route.method)
      .join(', ')
    return asText('method_unsupported', `Method not allowed: ${method} ${path}`, { allow })
  }
}

/** What Zadig's own router says, which is no JSON. */
function asText(
  code: 'not_found' | 'method_unsupported',
  message: string,
  headers: Record<string, string> = {},
): AppError {
  return new AppError(code, message, { text: true, headers })
}

/** All that Zadig shows: no key, no certificate, no project. */
function viewOf({ id, address, provider, region, namespace, isDefault }: RegistryRecord) {
  return { registry_id: id, address, provider, region, namespace, is_default: isDefault }
}
