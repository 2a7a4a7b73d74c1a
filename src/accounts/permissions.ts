import type { Role } from '../store/db/schema.ts'

/*
 * Who may do what, as one table. `role`: the least role in the project. `public`: everybody may,
 * signed in or not, when the project is public. `admin`: system administrators only. `account`:
 * every signed-in person or robot.
 */

interface Rule {
  role?: Role
  public?: true
  account?: true
  /** Completes the sentence "… may ‹verb›", read by people in a terminal. */
  verb: string
}

export const PERMISSIONS = {
  'repository:pull': { role: 'guest', public: true, verb: 'pull from it' },
  'repository:push': { role: 'developer', verb: 'push to it' },
  'repository:delete': { role: 'maintainer', verb: 'delete in it' },
  'repository:update': { role: 'maintainer', verb: 'change its repositories' },
  'tag:protect': { role: 'maintainer', verb: 'make its tags immutable' },
  'project:read': { role: 'guest', public: true, verb: 'look at it' },
  'project:update': { role: 'admin', verb: 'change its settings' },
  'project:delete': { role: 'admin', verb: 'delete it' },
  'project:quota': { verb: 'set its quota' },
  'member:read': { role: 'guest', verb: 'see its members' },
  'member:manage': { role: 'admin', verb: 'manage its members' },
  'robot:manage': { role: 'admin', verb: 'manage its robots' },
  'catalog:read': { account: true, verb: 'list repositories' },
  'project:create': { account: true, verb: 'create projects' },
  'registry:use': { role: 'developer', verb: 'use its registries' },
  'registry:read': { account: true, verb: 'see external registries' },
  'registry:manage': { verb: 'manage external registries' },
  'project-registry:read': { role: 'guest', verb: 'see its external registries' },
  'project-registry:manage': { role: 'maintainer', verb: 'manage its external registries' },
  'runner:manage': { verb: 'manage runners' },
  'account:manage': { verb: 'manage accounts' },
  'system:read': { verb: 'see the state of the system' },
  'system:manage': { verb: 'manage the work in the background' },
} as const satisfies Record<string, Rule>

export type Action = keyof typeof PERMISSIONS

export const ruleOf = (action: Action): Rule => PERMISSIONS[action]

const RANK: Record<Role, number> = { guest: 1, developer: 2, maintainer: 3, admin: 4 }

/** True when `role` includes what `least` may do. */
export function includesRole(role: Role, least: Role): boolean {
  return RANK[role] >= RANK[least]
}

/** The roles that include `least`, weakest first, for error texts. */
export function rolesFrom(least: Role): Role[] {
  return (Object.keys(RANK) as Role[]).filter((role) => includesRole(role, least))
}
