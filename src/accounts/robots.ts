import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { newSecret } from '../lib/ids.ts'
import { because } from '../lib/reasons.ts'
import type { Also, Db, Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { Row } from '../store/db/schema.ts'
import { checkAccountName, checkExpiry, checkText } from './names.ts'
import { type Page, type PageRequest, pageOf, rowsToRead } from './page.ts'
import {
  checkRoles,
  insertSecret,
  type NewRobot,
  notFound,
  type Robot,
  type RobotChange,
  readRobots,
  removeOrphan,
} from './robot-rows.ts'
import { voidTokens } from './void-tokens.ts'

/** Found by secret scanners; and a secret never begins with "-", which command lines misread. */
const SECRET_PREFIX = 'epr_'
/** Of robots that belong to no project; no project can have this name. */
const SYSTEM = 'system'
const MAX_OVERLAP_SECONDS = 30 * 86_400

/**
 * `owner` is the project in whose name the caller was authorised, null for the system: a robot of
 * another owner is not found, whatever its id. Who may call is asked by the caller (`robot:manage`
 * in the project; `account:manage` for the system).
 */
export interface Robots {
  /** `secret` is shown this once. @throws AppError invalid_input, not_found, conflict */
  create(
    owner: number | null,
    robot: NewRobot,
    also?: Also<{ name: string }>,
  ): Promise<{ robot: Robot; secret: string }>
  get(owner: number | null, id: number): Promise<Robot | undefined>
  /** By name in byte order. */
  list(owner: number | null, page: PageRequest): Promise<Page<Robot>>
  /** @throws AppError invalid_input, not_found, precondition_failed */
  update(
    owner: number | null,
    id: number,
    change: RobotChange,
    version?: number,
    also?: Also<{ name: string }>,
  ): Promise<Robot>
  /** A new secret; the old one stays good for `overlapSeconds`. At most two are good at once. */
  rotate(
    owner: number | null,
    id: number,
    options?: { overlapSeconds?: number | undefined },
    also?: Also<{ name: string }>,
  ): Promise<{ secret: string; oldValidUntil: number }>
  /** @throws AppError not_found, precondition_failed */
  remove(
    owner: number | null,
    id: number,
    version?: number,
    also?: Also<{ name: string }>,
  ): Promise<void>
}

export function createRobots(deps: {
  db: Db
  clock: Clock
  /** Drops what this process remembers of the account. */
  forget: (account: number) => void
  forgetMember: (project: number, account: number) => void
}): Robots {
  const { db, clock, forget, forgetMember } = deps

  const robots = (owner: number | null) =>
    db.query
      .selectFrom('account')
      .selectAll()
      .where('kind', '=', 'robot')
      .where('project', owner === null ? 'is' : '=', owner)

  /** The row, locked; checked against the version that the caller has seen. */
  async function lock(
    tx: Tx,
    owner: number | null,
    id: number,
    version?: number,
  ): Promise<Row<'account'>> {
    const query = tx
      .selectFrom('account')
      .selectAll()
      .where('id', '=', id)
      .where('kind', '=', 'robot')
      .where('project', owner === null ? 'is' : '=', owner)
    const row = await db.engine.lockRows(query, 'update').executeTakeFirst()
    if (!row) throw notFound(id)
    if (version !== undefined && version !== row.version) {
      throw new AppError(
        'precondition_failed',
        `robot "${row.name}" was changed meanwhile`,
        because('changed_meanwhile', { name: row.name }),
      )
    }
    return row
  }

  async function get(owner: number | null, id: number): Promise<Robot | undefined> {
    const [robot] = await readRobots(db.query, robots(owner).where('id', '=', id))
    return robot
  }

  async function mustGet(owner: number | null, id: number): Promise<Robot> {
    const robot = await get(owner, id)
    if (!robot) throw notFound(id)
    return robot
  }

  async function liveProjects(tx: Tx, ids: number[]): Promise<Map<number, string>> {
    if (ids.length === 0) return new Map()
    const rows = await db.engine
      .lockRows(
        tx
          .selectFrom('project')
          .select(['id', 'name'])
          .where('id', 'in', ids)
          .where('state', '=', LIVE)
          .orderBy('id'),
        'keyShare',
      )
      .execute()
    return new Map(rows.map((row) => [row.id, row.name]))
  }

  async function setRoles(
    tx: Tx,
    owner: number | null,
    account: number,
    roles: NewRobot['roles'],
    now: number,
  ): Promise<Map<number, string>> {
    checkRoles(owner, roles)
    const projects = await liveProjects(
      tx,
      roles.map(({ project }) => project),
    )
    const missing = roles.find(({ project }) => !projects.has(project))
    if (missing) {
      throw new AppError('not_found', `there is no project with the id ${missing.project}`)
    }
    await tx.deleteFrom('member').where('account', '=', account).execute()
    if (roles.length > 0) {
      await tx
        .insertInto('member')
        .values(roles.map(({ project, role }) => ({ project, role, account, created_at: now })))
        .execute()
    }
    return projects
  }

  return {
    async create(owner, { name, roles, description = '', expiresAt = null }, also) {
      const now = clock()
      checkAccountName(name)
      checkText('description', description, 1_024)
      checkExpiry(expiresAt, now)
      checkRoles(owner, roles)
      const secret = `${SECRET_PREFIX}${newSecret()}`
      const id = await db
        .transaction(async (tx) => {
          const ownerName = owner === null ? SYSTEM : (await liveProjects(tx, [owner])).get(owner)
          if (ownerName === undefined) {
            throw new AppError('not_found', `there is no project with the id ${owner}`)
          }
          const fullName = `${ownerName}+${name}`
          await removeOrphan(tx, fullName, owner)
          const row = await tx
            .insertInto('account')
            .values({
              kind: 'robot',
              name: fullName,
              display_name: description,
              email: null,
              project: owner,
              expires_at: expiresAt,
              created_at: now,
              updated_at: now,
            })
            .returning('id')
            .executeTakeFirstOrThrow()
          await setRoles(tx, owner, row.id, roles, now)
          await insertSecret(tx, row.id, secret, now)
          await also?.(tx, { name: fullName })
          return row.id
        })
        .catch((error: unknown) => {
          if (!db.engine.isUniqueViolation(error)) throw error
          throw new AppError('conflict', `there is a robot named "${name}" already`, {
            field: 'name',
            ...because('name_taken', { name }),
          })
        })
      return { robot: await mustGet(owner, id), secret }
    },

    get,

    async list(owner, page) {
      const read = rowsToRead(page)
      let query = robots(owner).orderBy('name').limit(read)
      if (page.after !== undefined) query = query.where('name', '>', page.after)
      return pageOf(
        await readRobots(db.query, query),
        read,
        (robot) => robot.name,
        (robot) => robot,
      )
    },

    async update(owner, id, change, version, also) {
      const now = clock()
      if (change.description !== undefined) checkText('description', change.description, 1_024)
      checkExpiry(change.expiresAt, now)
      const before = await mustGet(owner, id)
      await db.transaction(async (tx) => {
        const old = await lock(tx, owner, id, version)
        if (change.roles) await setRoles(tx, owner, id, change.roles, now)
        if (change.disabled === true && old.disabled === 0) await voidTokens(tx, old, now)
        await tx
          .updateTable('account')
          .set({
            display_name: change.description ?? old.display_name,
            disabled: change.disabled === undefined ? old.disabled : change.disabled ? 1 : 0,
            expires_at: change.expiresAt === undefined ? old.expires_at : change.expiresAt,
            updated_at: now,
            version: old.version + 1,
          })
          .where('id', '=', id)
          .execute()
        await also?.(tx, { name: old.name })
      })
      forget(id)
      const robot = await mustGet(owner, id)
      for (const { project } of [...before.roles, ...robot.roles]) forgetMember(project, id)
      return robot
    },

    async rotate(owner, id, { overlapSeconds = 0 } = {}, also) {
      if (!(overlapSeconds >= 0 && overlapSeconds <= MAX_OVERLAP_SECONDS)) {
        throw new AppError(
          'invalid_input',
          `the old secret can stay good for 0 to ${MAX_OVERLAP_SECONDS} seconds`,
          { field: 'overlapSeconds' },
        )
      }
      const now = clock()
      const oldValidUntil = now + Math.round(overlapSeconds * 1000)
      const secret = `${SECRET_PREFIX}${newSecret()}`
      await db.transaction(async (tx) => {
        const { name } = await lock(tx, owner, id)
        // Those already on their way out go now; what is left is the one of the last rotation.
        await tx
          .deleteFrom('credential')
          .where('account', '=', id)
          .where((where) =>
            overlapSeconds === 0 ? where.lit(true) : where('expires_at', 'is not', null),
          )
          .execute()
        await tx
          .updateTable('credential')
          .set({ expires_at: oldValidUntil })
          .where('account', '=', id)
          .execute()
        await insertSecret(tx, id, secret, now)
        await also?.(tx, { name })
      })
      forget(id)
      return { secret, oldValidUntil }
    },

    async remove(owner, id, version, also) {
      await db.transaction(async (tx) => {
        const { name } = await lock(tx, owner, id, version)
        await tx.deleteFrom('account').where('id', '=', id).execute()
        await also?.(tx, { name })
      })
      forget(id)
    },
  }
}
