import { afterEach, expect, test } from 'bun:test'
import type { KyselyPlugin } from 'kysely'
import { createAuthorizer, GRANT_LIFETIME_MS } from '../accounts/authorize.ts'
import { anonymous, type Principal } from '../accounts/principal.ts'
import type { Db } from '../store/db/database.ts'
import { createMigrated } from '../store/db/test-databases.ts'
import { createProjects } from './projects.ts'

let remove: () => Promise<void>
afterEach(() => remove())

/** The statements that `db` is asked for outside of transactions, by the tables they name. */
function watched(db: Db): { db: Db; asked: string[] } {
  const asked: string[] = []
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      const [, table = ''] = /"table":.*?"name":"(\w+)"/.exec(JSON.stringify(node)) ?? []
      asked.push(table)
      return node
    },
    transformResult: async ({ result }) => result,
  }
  return { db: { ...db, query: db.query.withPlugin(plugin) }, asked }
}

// How long a refusal takes must not tell whether there is a project of the name.
test('a refusal asks the database as much for a private project as for none', async () => {
  const { db: own, test: database } = await createMigrated()
  remove = database.remove
  const { db, asked } = watched(own)
  let now = 1_700_000_000_000
  const clock = () => now
  const projects = createProjects({ db, clock })
  const authorizer = createAuthorizer({
    db,
    clock,
    settings: { anonymousWrite: false, projectCreators: 'admins' },
  })
  await own.transaction((tx) =>
    projects.create(tx, { name: 'secret', isPublic: false, createdBy: null }),
  )
  const stranger: Principal = { kind: 'user', account: 77, name: 'stranger', isAdmin: false }

  async function statementsOf(principal: Principal, name: string): Promise<string[]> {
    asked.length = 0
    const project = await projects.find(name)
    const { allowed } = await authorizer.authorize(principal, 'repository:pull', {
      kind: 'repository',
      repository: `${name}/app`,
      project,
    })
    expect(allowed).toBe(false)
    return asked.toSorted()
  }

  // A process remembers projects for a while: the first one who asks then, and those who come later.
  for (const principal of [stranger, anonymous]) {
    now += GRANT_LIFETIME_MS + 1
    const first = await statementsOf(principal, 'secret')
    expect(first.length).toBeGreaterThan(0)
    expect(await statementsOf(principal, 'secret')).toEqual(first)
    expect(await statementsOf(principal, 'missing')).toEqual(first)
  }
})
