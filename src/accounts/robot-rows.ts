import type { SelectQueryBuilder } from 'kysely'
import { AppError } from '../lib/errors.ts'
import { hashSecret } from '../lib/secrets.ts'
import type { Queryable, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Role, Row, Schema } from '../store/db/schema.ts'

export type RobotRole = Exclude<Role, 'admin'>

export interface Robot {
  id: number
  /** `<project>+<name>` or `system+<name>`: what to sign in with. */
  name: string
  /** The project that it belongs to; null: the system. */
  project: number | null
  description: string
  disabled: boolean
  expiresAt: number | null
  roles: { project: number; role: RobotRole }[]
  createdAt: number
  updatedAt: number
  /** Changes with every update: the ETag. */
  version: number
}

export interface NewRobot {
  /** The part after `+`. */
  name: string
  /** Of a robot of a project: exactly one, for that project. */
  roles: readonly { project: number; role: RobotRole }[]
  description?: string | undefined
  expiresAt?: number | null | undefined
}

export interface RobotChange {
  roles?: readonly { project: number; role: RobotRole }[] | undefined
  description?: string | undefined
  disabled?: boolean | undefined
  expiresAt?: number | null | undefined
}

/** A robot whose project was deleted holds its name; the new project of that name may have it. */
export async function removeOrphan(tx: Tx, name: string, owner: number | null): Promise<void> {
  if (owner === null) return
  await tx
    .deleteFrom('account')
    .where('name', '=', name)
    .where('kind', '=', 'robot')
    .where('project', '!=', owner)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('project')
            .select('project.id')
            .whereRef('project.id', '=', 'account.project')
            .where('project.state', '=', LIVE),
        ),
      ),
    )
    .execute()
}

export async function insertSecret(
  tx: Tx,
  account: number,
  secret: string,
  now: number,
): Promise<void> {
  await tx
    .insertInto('credential')
    .values({
      account,
      kind: 'secret',
      hash: hashSecret(secret),
      created_at: now,
      expires_at: null,
    })
    .execute()
}

export function checkRoles(owner: number | null, roles: NewRobot['roles']): void {
  const fail = (message: string) => new AppError('invalid_input', message, { field: 'roles' })
  if (roles.some(({ role }) => !['guest', 'developer', 'maintainer'].includes(role))) {
    throw fail('a robot can be guest, developer or maintainer')
  }
  if (new Set(roles.map(({ project }) => project)).size !== roles.length || roles.length > 1_000) {
    throw fail('each project may be named once, and 1,000 at most')
  }
  if (owner !== null && (roles.length !== 1 || roles[0]?.project !== owner)) {
    throw fail('a robot of a project has one role, in this project')
  }
}

/** Robots with their roles, by name, in one statement: the limit of `page` counts robots. */
export async function readRobots(
  query: Queryable,
  page: SelectQueryBuilder<Schema, 'account', Row<'account'>>,
): Promise<Robot[]> {
  const rows = await query
    .selectFrom(page.as('robot'))
    .leftJoin('member', 'member.account', 'robot.id')
    .selectAll('robot')
    .select(['member.project as memberOf', 'member.role'])
    .orderBy('robot.name')
    .orderBy('member.project')
    .execute()
  const robots = new Map<number, Robot>()
  for (const { memberOf, role, ...row } of rows) {
    const robot = robots.get(row.id) ?? robotOf(row)
    if (memberOf !== null && role !== null && role !== 'admin') {
      robot.roles.push({ project: memberOf, role })
    }
    robots.set(row.id, robot)
  }
  return [...robots.values()]
}

function robotOf(row: Row<'account'>): Robot {
  return {
    id: row.id,
    name: row.name,
    project: row.project,
    description: row.display_name,
    disabled: row.disabled === 1,
    expiresAt: row.expires_at,
    roles: [],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  }
}

export function notFound(id: number): AppError {
  return new AppError('not_found', `there is no robot with the id ${id} here`)
}
