import type { Clock } from '../lib/clock.ts'
import { AppError, type ErrorDetails } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Role } from '../store/db/schema.ts'
import { type Action, includesRole, rolesFrom, ruleOf } from './permissions.ts'
import type { Principal } from './principal.ts'

/** How long a grant may be remembered: the promised time for a revocation to take effect. */
export const GRANT_LIFETIME_MS = 5_000

/** What authorisation needs to know of a project. */
export interface ProjectRef {
  id: number
  name: string
  isPublic: boolean
}

export type Resource =
  | { kind: 'system' }
  | { kind: 'project'; project: ProjectRef }
  /** `repository` is the canonical full name; `project` undefined: it does not exist. */
  | { kind: 'repository'; repository: string; project: ProjectRef | undefined }

export type Decision =
  | { allowed: true }
  | {
      allowed: false
      code: 'unauthenticated' | 'insufficient_scope' | 'denied'
      /** One or two plain sentences: what, why, who decides. */
      reason: string
      /** Of the error that says so. */
      details?: ErrorDetails
    }

export interface AuthorizeSettings {
  /** Anonymous callers may push, delete and create projects: for tests and closed networks. */
  anonymousWrite: boolean
  /** Who may create projects (system administrators always may). */
  projectCreators: 'all' | 'admins'
}

export interface Authorizer {
  /** The only gate. Never throws for a refusal: the decision says why. */
  authorize(principal: Principal, action: Action, resource: Resource): Promise<Decision>
  /** As `authorize`, throwing the refusal as an AppError. */
  demand(principal: Principal, action: Action, resource: Resource): Promise<void>
  /** The role of an account in a project, as seen at most five seconds ago. */
  roleIn(principal: Principal, project: number): Promise<Role | undefined>
  /** Projects an account is a member of, read now. */
  memberships(account: number): Promise<{ project: number; role: Role }[]>
  /** Drops what this process remembers of a member, after changing it. */
  forget(project: number, account: number): void
}

/** Stands for a project that does not exist: ids begin at 1, so nobody is a member of this one. */
export const NO_PROJECT = 0

const ALLOWED: Decision = { allowed: true }

export function createAuthorizer(deps: {
  db: Db
  clock: Clock
  settings: AuthorizeSettings
}): Authorizer {
  const { db, clock, settings } = deps
  const grants = new Map<string, { role: Role; until: number }>()
  // Projects as they are remembered: one that comes here first was looked up for it.
  const remembered = new WeakSet<ProjectRef>()

  async function roleIn(principal: Principal, project: number): Promise<Role | undefined> {
    if (principal.account === null) return undefined
    const key = `${project}:${principal.account}`
    const known = grants.get(key)
    if (known && known.until > clock()) return known.role
    const row = await db.query
      .selectFrom('member')
      .select('role')
      .where('project', '=', project)
      .where('account', '=', principal.account)
      .executeTakeFirst()
    // Only grants are remembered: a new member need not wait.
    if (!row) {
      grants.delete(key)
      return undefined
    }
    if (grants.size > 50_000) grants.clear()
    grants.set(key, { role: row.role, until: clock() + GRANT_LIFETIME_MS })
    return row.role
  }

  async function authorize(
    principal: Principal,
    action: Action,
    resource: Resource,
  ): Promise<Decision> {
    const decision = await ofAccount(principal, action, resource)
    if (!decision.allowed || !principal.scope) return decision
    return withinScope(principal, action, resource) ? ALLOWED : tooNarrow(action, resource)
  }

  async function ofAccount(
    principal: Principal,
    action: Action,
    resource: Resource,
  ): Promise<Decision> {
    const project = resource.kind === 'system' ? undefined : resource.project
    const isRemembered = project !== undefined && remembered.has(project)
    if (project) remembered.add(project)
    if (principal.isAdmin) return ALLOWED
    const rule = ruleOf(action)
    if (principal.kind === 'anonymous' && settings.anonymousWrite && openToAll(action, resource)) {
      return ALLOWED
    }
    if (rule.account) {
      if (principal.kind === 'anonymous') return refuse(principal, action, resource)
      if (action !== 'project:create') return ALLOWED
      const mayCreate = settings.projectCreators === 'all' && principal.kind === 'user'
      return mayCreate ? ALLOWED : refuse(principal, action, resource)
    }
    if (!project && (action === 'repository:push' || action === 'repository:pull')) {
      // A push makes the missing project, so whoever may create it may look and push.
      const creates = await ofAccount(principal, 'project:create', { kind: 'system' })
      if (creates.allowed) return ALLOWED
    }
    if (!project || !rule.role) {
      if (resource.kind === 'repository') await roleIn(principal, NO_PROJECT)
      return refuse(principal, action, resource)
    }
    if (rule.public && project.isPublic) return ALLOWED
    const role = await roleIn(principal, project.id)
    if (role && includesRole(role, rule.role)) return ALLOWED
    if (role === undefined && isRemembered) await lookUpAgain(project.name)
    return refuse(principal, action, resource, role)
  }

  /**
   * Projects are remembered, while a name without one is looked up each time: without this a
   * refusal would come sooner where there is a project, and so tell that there is.
   */
  async function lookUpAgain(name: string): Promise<void> {
    await db.query
      .selectFrom('project')
      .selectAll()
      .where('name', '=', name)
      .where('state', '=', LIVE)
      .executeTakeFirst()
  }

  return {
    authorize,
    async demand(principal, action, resource) {
      const decision = await authorize(principal, action, resource)
      if (!decision.allowed) throw new AppError(decision.code, decision.reason, decision.details)
    },
    roleIn,
    async memberships(account) {
      return db.query
        .selectFrom('member')
        .select(['project', 'role'])
        .where('account', '=', account)
        .execute()
    },
    forget(project, account) {
      grants.delete(`${project}:${account}`)
    },
  }
}

/** With `anonymousWrite`: what everybody may do to public projects. */
function openToAll(action: Action, resource: Resource): boolean {
  if (action === 'project:create' || action === 'catalog:read') return true
  return (
    resource.kind === 'repository' &&
    resource.project?.isPublic === true &&
    (action === 'repository:push' || action === 'repository:delete')
  )
}

function withinScope(principal: Principal, action: Action, resource: Resource): boolean {
  if (resource.kind === 'repository') {
    const wanted = action.startsWith('repository:') ? action.slice('repository:'.length) : ''
    const { repository, project } = resource
    return (principal.scope ?? []).some(
      (scope) =>
        scope.type === 'repository' &&
        scope.name === repository &&
        (scope.project === undefined || scope.project === project?.id) &&
        scope.actions.includes(wanted),
    )
  }
  if (action === 'catalog:read') {
    return (principal.scope ?? []).some((s) => s.type === 'registry' && s.name === 'catalog')
  }
  // A push that creates its project was asked for as a push; the caller checks that one too.
  return action === 'project:create'
}

function tooNarrow(action: Action, resource: Resource): Decision {
  const name = resource.kind === 'repository' ? ` on ${resource.repository}` : ''
  return {
    allowed: false,
    code: 'insufficient_scope',
    reason: `the token was not issued for ${action}${name}`,
  }
}

/**
 * The sentence for a refusal. It is the same for a project that does not exist and one that the
 * caller may not see, so that names cannot be probed.
 */
function refuse(principal: Principal, action: Action, resource: Resource, role?: Role): Decision {
  const rule = ruleOf(action)
  if (principal.kind === 'anonymous') {
    return { allowed: false, code: 'unauthenticated', reason: `sign in to ${actionText(action)}` }
  }
  const who = `${principal.kind} "${principal.name}"`
  if (resource.kind === 'system' || !rule.role) {
    const deciders = action === 'project:create' ? 'users allowed by the settings and ' : ''
    return {
      allowed: false,
      code: 'denied',
      reason: `${who} may not ${actionText(action)}; ${deciders}system administrators may`,
      details: because('administrators_only', {}),
    }
  }
  const name =
    resource.kind === 'project' ? resource.project.name : projectNameOf(resource.repository)
  const needed = rolesFrom(rule.role).join(', ')
  const has = role ? `is only ${role} of` : 'has no role in'
  return {
    allowed: false,
    code: 'denied',
    reason:
      `project "${name}" does not exist or ${who} ${has} it: to ${rule.verb} takes one of the ` +
      `roles ${needed}; an administrator of the project can give it`,
    details: because('role_missing', { name, role: rule.role }),
  }
}

function actionText(action: Action): string {
  return ruleOf(action)
    .verb.replace(/ its\b/, " the project's")
    .replace(/ it\b/, ' the project')
}

function projectNameOf(repository: string): string {
  return repository.slice(0, repository.indexOf('/'))
}
