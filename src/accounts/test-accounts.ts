import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { createSealer, fingerprintOf } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import { createSqliteTest, type TestDatabase } from '../store/db/test-databases.ts'
import { type Accounts, type AccountsSettings, createAccounts } from './accounts.ts'

/** Meets the rules; that of every user which `createUser` makes. */
export const PASSWORD = 'Correct-horse-1'
export const SERVICE = 'registry.example.com'
export const ADDRESS = '192.0.2.7'

/** Accounts on a database of their own, with a clock that only tests move. */
export interface TestAccounts extends Accounts {
  db: Db
  clock: Clock
  /** Moves the time of all processes forward. */
  pass(ms: number): void
  /** The same database and clock as seen by another process. */
  anotherProcess(settings?: Partial<AccountsSettings>): Accounts & { db: Db }
  /** Another process, whose database has no room for any change. */
  onFullDisk(): Accounts & { db: Db }
  /** The account's id. */
  createUser(name: string, options?: { isAdmin?: boolean }): Promise<number>
  /** The project's id. */
  createProject(name: string, options?: { isPublic?: boolean }): Promise<number>
  /** As deleting it does. */
  trashProject(id: number): Promise<void>
  remove(): Promise<void>
}

const SEALING_KEY = new Uint8Array(32).fill(7)

export const testSealer = createSealer({ key: SEALING_KEY, keyId: fingerprintOf(SEALING_KEY) })

export async function createTestAccounts(
  settings: Partial<AccountsSettings> = {},
  create: () => Promise<TestDatabase> = createSqliteTest,
): Promise<TestAccounts> {
  const database = await create()
  let now = Date.parse('2026-03-01T12:00:00.250Z')
  const clock = () => now

  function open(own: Partial<AccountsSettings> = {}, wrap = (db: Db) => db) {
    const db = wrap(database.open())
    const accounts = createAccounts({
      db,
      clock,
      sealer: testSealer,
      settings: {
        authorize: { anonymousWrite: false, projectCreators: 'all' },
        service: SERVICE,
        ...settings,
        ...own,
      },
    })
    return { ...accounts, db }
  }

  const first = open()
  await migrate(first.db)
  await first.signingKeys.prepare()
  return {
    ...first,
    clock,
    pass(ms) {
      now += ms
    },
    anotherProcess: (own) => open(own),
    onFullDisk: () =>
      open({}, (db) => ({
        ...db,
        async transaction() {
          throw new AppError('storage_full', 'the disk that holds the database is full')
        },
      })),
    async createUser(name, options = {}) {
      const { id } = await first.users.create({ name, password: PASSWORD, ...options })
      return id
    },
    async createProject(name, { isPublic = false } = {}) {
      const { id } = await first.db.query
        .insertInto('project')
        .values({
          name,
          is_public: isPublic ? 1 : 0,
          created_at: now,
          updated_at: now,
          trashed_at: null,
          trashed_by: null,
          trash_reason: null,
          created_by: null,
        })
        .returning('id')
        .executeTakeFirstOrThrow()
      return id
    },
    async trashProject(id) {
      await first.db.query
        .updateTable('project')
        .set({ state: 'trashed', trashed_at: now })
        .where('id', '=', id)
        .execute()
    },
    remove: () => database.remove(),
  }
}

export function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
}

/** The code of the AppError that `work` fails with; `none` when it does not fail. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}
