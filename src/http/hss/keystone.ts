import { z } from 'zod'
import type { Accounts } from '../../accounts/accounts.ts'
import type { Principal } from '../../accounts/principal.ts'
import { AppError, type ErrorCode } from '../../lib/errors.ts'
import { projectRef } from '../../registry/project-ref.ts'
import type { Project, Projects } from '../../registry/projects.ts'
import type { RequestContext } from '../context.ts'
import { apiUnknown, jsonResponse } from './errors.ts'
import type { createIdentify } from './identify.ts'
import { checkInput, parseBody, parseQuery, readBytes, text } from './input.ts'
import { findProject, projectIdOf } from './project-id.ts'

/*
 * As much of Keystone's identity API v3 as programs for Huawei Cloud need: a token for a password, and
 * the id of a project by its name. Domains are accepted and ignored: there is one.
 */

const TOKENS = '/v3/auth/tokens'
const PROJECTS = '/v3/projects'
const DOMAIN = { id: 'default', name: 'default' }
/** More than that are found by name only; Keystone says so with `truncated`. */
const MOST_PROJECTS = 1_000

const Named = z.looseObject(
  { id: text(1, 256).optional(), name: text(1, 256).optional() },
  { error: 'have an object as scope.project, with id or name' },
)
const METHODS = 'have identity.methods ["password"], the one method that is known here'
const USER = 'have identity.password.user with name and password'
const SignIn = z.object({
  auth: z.looseObject(
    {
      identity: z.looseObject(
        {
          methods: z
            .array(z.string(), { error: METHODS })
            .refine((methods) => methods.join() === 'password', { error: METHODS }),
          password: z.looseObject(
            {
              user: z.looseObject(
                { name: text(1, 320), password: text(1, 1_024) },
                { error: USER },
              ),
            },
            { error: USER },
          ),
        },
        { error: 'have an object "identity" with methods and password' },
      ),
      scope: z
        .looseObject({ project: Named.optional() }, { error: 'have an object as "scope", or none' })
        .optional(),
    },
    { error: 'be an object with identity and scope' },
  ),
})

const STATUSES: Partial<Record<ErrorCode, readonly [status: number, title: string]>> = {
  unauthenticated: [401, 'Unauthorized'],
  insufficient_scope: [401, 'Unauthorized'],
  denied: [403, 'Forbidden'],
  not_found: [404, 'Not Found'],
  method_unsupported: [404, 'Not Found'],
  too_large: [413, 'Request Entity Too Large'],
  rate_limited: [429, 'Too Many Requests'],
  storage_full: [507, 'Insufficient Storage'],
  read_only: [503, 'Service Unavailable'],
  unavailable: [503, 'Service Unavailable'],
  internal: [500, 'Internal Server Error'],
}

export function createKeystone(deps: {
  accounts: Accounts
  projects: Projects
  identify: ReturnType<typeof createIdentify>
}) {
  const { accounts, projects, identify } = deps
  const { authenticator, authorizer, projectTokens } = accounts

  async function mayLook(principal: Principal, project: Project): Promise<boolean> {
    const ref = projectRef(project)
    const resource = { kind: 'project', project: ref } as const
    return (await authorizer.authorize(principal, 'project:read', resource)).allowed
  }

  async function scopeOf(principal: Principal, named: z.output<typeof Named> | undefined) {
    const asked = named?.id ?? named?.name
    if (asked === undefined) return null
    const project = await findProject(projects, asked)
    if (project && (await mayLook(principal, project))) return project
    // As Keystone: whether it exists is not told.
    throw new AppError('unauthenticated', `you have no access to the project "${asked}"`)
  }

  async function signIn(context: RequestContext): Promise<Response> {
    context.route = 'keystone.signIn'
    const { auth } = checkInput(SignIn, parseBody(await readBytes(context.request)))
    const { name, password } = auth.identity.password.user
    const principal = await authenticator.signIn(name, password, context.address)
    context.principal = principal
    const project = await scopeOf(principal, auth.scope?.project)
    const issued = await projectTokens.issue(principal, project?.id ?? null)
    const body = {
      token: {
        methods: ['password'],
        issued_at: timeOf(issued.issuedAt),
        expires_at: timeOf(issued.expiresAt),
        user: { id: String(principal.account), name: principal.name, domain: DOMAIN },
        ...(project
          ? { project: { id: projectIdOf(project), name: project.name, domain: DOMAIN } }
          : {}),
      },
    }
    return jsonResponse(201, body, { 'x-subject-token': issued.token }, context.method)
  }

  async function signOut(context: RequestContext): Promise<Response> {
    context.route = 'keystone.signOut'
    const { principal } = await identify(context, await readBytes(context.request))
    context.principal = principal
    const subject = context.request.headers.get('x-subject-token') ?? ''
    const owner = await projectTokens.ownerOf(subject)
    if (owner === undefined || (owner !== principal.account && !principal.isAdmin)) {
      throw new AppError('not_found', 'X-Subject-Token is no token of yours')
    }
    await projectTokens.revoke(subject)
    return new Response(null, { status: 204 })
  }

  async function listProjects(context: RequestContext): Promise<Response> {
    context.route = 'keystone.projects'
    const identified = await identify(context, await readBytes(context.request))
    const { principal, tokenProject } = identified
    context.principal = principal
    const { name } = checkInput(
      z.object({ name: text(1, 256).optional() }),
      parseQuery(context.query),
    )
    const found = await namedOrAll(principal, name)
    const shown = found
      .slice(0, MOST_PROJECTS)
      .filter(({ id }) => tokenProject === null || id === tokenProject)
    const body = {
      projects: shown.map((project) => ({
        id: projectIdOf(project),
        name: project.name,
        description: project.description,
        enabled: true,
        is_domain: false,
        domain_id: DOMAIN.id,
        parent_id: DOMAIN.id,
        links: { self: `${context.origin}${PROJECTS}/${projectIdOf(project)}` },
      })),
      links: { self: `${context.origin}${PROJECTS}`, next: null, previous: null },
      ...(found.length > MOST_PROJECTS ? { truncated: true } : {}),
    }
    return jsonResponse(200, body, {}, context.method)
  }

  async function namedOrAll(principal: Principal, name: string | undefined): Promise<Project[]> {
    if (name === undefined) {
      const visibleTo = principal.isAdmin ? {} : { visibleTo: principal.account }
      return projects.list({ limit: MOST_PROJECTS + 1, ...visibleTo })
    }
    const project = await findProject(projects, name)
    return project && (await mayLook(principal, project)) ? [project] : []
  }

  return {
    owns: (path: string) => path === '/v3' || path.startsWith('/v3/'),

    async handle(context: RequestContext): Promise<Response> {
      context.route = 'keystone'
      const { path } = context
      const method = context.method === 'HEAD' ? 'GET' : context.method
      if (path === TOKENS && method === 'POST') return signIn(context)
      if (path === TOKENS && method === 'DELETE') return signOut(context)
      if (path === PROJECTS && method === 'GET') return listProjects(context)
      throw apiUnknown(context)
    },

    errorResponse(error: AppError, { method }: RequestContext): Response {
      const [status, title] = STATUSES[error.code] ?? [400, 'Bad Request']
      const { retryAfter } = error.details
      return jsonResponse(
        status,
        { error: { code: status, title, message: error.message } },
        retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
        method,
      )
    },
  }
}

/** With microseconds, as Keystone writes them. */
function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z')
}
