import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import type { Also, Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Role } from '../store/db/schema.ts'
import { type Page, type PageRequest, pageOf, rowsToRead } from './page.ts'

export interface Member {
  account: number
  kind: 'user' | 'robot'
  name: string
  displayName: string
  role: Role
  createdAt: number
}

/** What the audit tells of a change. */
interface MemberChange {
  name: string
  /** null: it was no member. */
  previousRole: Role | null
}

/** Who may call which is asked by the caller: `member:read` and `member:manage`. */
export interface Members {
  /** By name in byte order. */
  list(project: number, page: PageRequest): Promise<Page<Member>>
  get(project: number, account: number): Promise<Member | undefined>
  /**
   * The account that may become a member: a person, a robot of this project or of the system; by
   * its name, or its id in digits (a name of digits comes first). Robots of other projects are
   * not found, so that they cannot be probed.
   */
  candidate(project: number, nameOrId: string): Promise<number | undefined>
  /**
   * Adds the account or changes its role. A project may end without an administrator: system
   * administrators can always give it one.
   * @throws AppError not_found (account or project), denied (what a robot must not be)
   */
  put(project: number, account: number, role: Role, also?: Also<MemberChange>): Promise<Member>
  /** @throws AppError not_found */
  remove(project: number, account: number, also?: Also<MemberChange>): Promise<void>
}

export function createMembers(deps: {
  db: Db
  clock: Clock
  /** Drops what this process remembers of the grant. */
  forget: (project: number, account: number) => void
}): Members {
  const { db, clock, forget } = deps

  const members = (project: number) =>
    db.query
      .selectFrom('member')
      .innerJoin('account', 'account.id', 'member.account')
      .select([
        'member.account',
        'member.role',
        'member.created_at as createdAt',
        'account.kind',
        'account.name',
        'account.display_name as displayName',
      ])
      .where('member.project', '=', project)

  async function get(project: number, account: number): Promise<Member | undefined> {
    return members(project).where('member.account', '=', account).executeTakeFirst()
  }

  return {
    async list(project, page) {
      const read = rowsToRead(page)
      let query = members(project).orderBy('account.name').limit(read)
      if (page.after !== undefined) query = query.where('account.name', '>', page.after)
      return pageOf(
        await query.execute(),
        read,
        (row) => row.name,
        (row): Member => row,
      )
    },

    get,

    async candidate(project, nameOrId) {
      const id = /^\d{1,15}$/.test(nameOrId) ? Number(nameOrId) : undefined
      const rows = await db.query
        .selectFrom('account')
        .select(['id', 'name'])
        .where((where) =>
          where.or([
            where('name', '=', nameOrId),
            ...(id === undefined ? [] : [where('id', '=', id)]),
          ]),
        )
        .where((where) =>
          where.or([
            where('kind', '=', 'user'),
            where('project', 'is', null),
            where('project', '=', project),
          ]),
        )
        .execute()
      return (rows.find((row) => row.name === nameOrId) ?? rows[0])?.id
    },

    async put(project, account, role, also) {
      const now = clock()
      await db.transaction(async (tx) => {
        const live = await db.engine
          .lockRows(
            tx
              .selectFrom('project')
              .select('id')
              .where('id', '=', project)
              .where('state', '=', LIVE),
            'keyShare',
          )
          .executeTakeFirst()
        if (!live) throw new AppError('not_found', `there is no project with the id ${project}`)
        const row = await db.engine
          .lockRows(
            tx.selectFrom('account').select(['kind', 'name', 'project']).where('id', '=', account),
            'keyShare',
          )
          .executeTakeFirst()
        if (!row) throw new AppError('not_found', `there is no account with the id ${account}`)
        if (row.kind === 'robot') checkRobot(row, project, role)
        const before = await tx
          .selectFrom('member')
          .select('role')
          .where('project', '=', project)
          .where('account', '=', account)
          .executeTakeFirst()
        await tx
          .insertInto('member')
          .values({ project, account, role, created_at: now })
          .onConflict((conflict) => conflict.columns(['project', 'account']).doUpdateSet({ role }))
          .execute()
        await also?.(tx, { name: row.name, previousRole: before?.role ?? null })
      })
      forget(project, account)
      const member = await get(project, account)
      if (!member) throw new AppError('not_found', 'the account was removed meanwhile')
      return member
    },

    async remove(project, account, also) {
      await db.transaction(async (tx) => {
        const deleted = await tx
          .deleteFrom('member')
          .where('project', '=', project)
          .where('account', '=', account)
          .returning((eb) => [
            'role',
            eb
              .selectFrom('account')
              .select('name')
              .whereRef('account.id', '=', 'member.account')
              .as('name'),
          ])
          .executeTakeFirst()
        if (!deleted) throw new AppError('not_found', 'this account is not a member of the project')
        await also?.(tx, { name: deleted.name ?? '', previousRole: deleted.role })
      })
      forget(project, account)
    },
  }
}

function checkRobot(
  robot: { name: string; project: number | null },
  project: number,
  role: Role,
): void {
  if (role === 'admin') {
    throw new AppError(
      'denied',
      `"${robot.name}" is a robot, which cannot be an administrator`,
      because('robot_not_admin', { name: robot.name }),
    )
  }
  if (robot.project !== null && robot.project !== project) {
    throw new AppError(
      'denied',
      `"${robot.name}" is a robot of another project`,
      because('robot_elsewhere', { name: robot.name }),
    )
  }
}
