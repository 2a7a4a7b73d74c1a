import { afterEach, expect, test } from 'bun:test'
import { type RawBuilder, sql } from 'kysely'
import { failureOf } from '../lib/test-failure.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  bodyOf,
  createTestRegistry,
  nameOf,
  noise,
  ownerOf,
  type TestRegistry,
} from './test-registry.ts'
import { openOf } from './upload-statements.ts'

const LIMIT = 16

onEachEngine('a limit on open uploads', (create) => {
  let registry: TestRegistry
  afterEach(() => registry.remove())

  const anonymous = { repository: nameOf('team/app'), account: null }
  const openAll = async (
    { uploads }: TestRegistry['first'],
    owner = ownerOf('team/app', 7),
  ): Promise<string[]> => {
    const ids: string[] = []
    for (;;) {
      try {
        ids.push((await uploads.start(owner)).id)
      } catch {
        return ids
      }
      if (ids.length > 10 * LIMIT) throw new Error('there is no limit')
    }
  }

  test('is told with its number, and an upload that ends makes place for another', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { first } = registry
    const owner = ownerOf('team/app', 7)
    const [one = '', ...others] = await openAll(first)
    expect(others).toHaveLength(LIMIT - 1)
    const refused = await failureOf(first.uploads.start(owner))
    expect(refused).toMatchObject({ code: 'rate_limited', retryAfter: 60 })
    expect(refused.message).toContain(`this account has already ${LIMIT} uploads open`)

    await first.uploads.cancel(one, owner)
    await first.uploads.start(owner)
    expect((await failureOf(first.uploads.start(owner))).code).toBe('rate_limited')
    // Others are not held back by it, and those without a name count as one.
    await first.uploads.start({ ...owner, account: 4711 })
    expect(await openAll(first, anonymous)).toHaveLength(LIMIT)
    expect((await failureOf(first.uploads.start(anonymous))).message).toContain('did not sign in')
  })

  test('holds for many that come at once', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { uploads } = registry.first
    const starts = Array.from({ length: 10 * LIMIT }, () => uploads.start(ownerOf('team/app', 7)))
    const opened = (await Promise.allSettled(starts)).filter(({ status }) => status === 'fulfilled')
    expect(opened).toHaveLength(LIMIT)
  })

  test('holds for several processes together, but for a little', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const processes = [registry.first, registry.anotherProcess(), registry.anotherProcess()]
    const opened = await Promise.all(processes.map((one) => openAll(one)))
    expect(opened.flat().length).toBeGreaterThanOrEqual(LIMIT)
    expect(opened.flat().length).toBeLessThanOrEqual(2 * LIMIT)
  })

  test('what nobody goes on with gives way, what is going on does not', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { first } = registry
    const owner = ownerOf('team/app', 7)
    const [kept = ''] = await openAll(first)
    registry.pass(3_600_001)
    await first.uploads.append(kept, owner, bodyOf(new Uint8Array([1])))
    await first.uploads.start(owner)
    expect(await first.uploads.status(kept, owner)).toEqual({ offset: 1 })
    expect(await openAll(first)).toHaveLength(LIMIT - 2)
  })

  test('who opens one waits for no bytes of those that give way; the sweeper removes them', async () => {
    let removals = 0
    registry = await createTestRegistry(create, {
      openUploadsPerAccount: LIMIT,
      store: (store) => ({
        ...store,
        async remove(keys) {
          removals += keys.length
          await store.remove(keys)
        },
      }),
    })
    const { first } = registry
    const owner = ownerOf('team/app', 7)
    const [one = ''] = await openAll(first)
    await first.uploads.append(one, owner, bodyOf(noise(6_000)))
    registry.pass(3_600_001)
    await first.uploads.start(owner)
    expect(removals).toBe(0)
    expect((await failureOf(first.uploads.status(one, owner))).code).toBe('upload_unknown')
    // However far the time is that uploads are kept for.
    expect(await first.uploads.sweep(1)).toBe(LIMIT)
    expect(await registry.problems()).toEqual([])
  })

  test('so many give way at once that nobody waits long for them', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { first } = registry
    const owner = ownerOf('team/app', 7)
    await insertOpen(1_200, sql`7`)
    // The limit was lowered, say: each one who is refused makes some more room.
    const codes: string[] = []
    for (let i = 0; i < 3; i++) {
      codes.push(
        await first.uploads.start(owner).then(
          () => 'opened',
          ({ code }) => code,
        ),
      )
    }
    expect(codes).toEqual(['rate_limited', 'rate_limited', 'opened'])
  })

  test('are found by their account', async () => {
    registry = await createTestRegistry(create)
    const { query, engine } = registry.first.db
    await insertOpen(5_000, sql`case when i % 100 = 0 then null else i % 100 end`)
    await sql`analyze`.execute(query)
    const explain = engine.name === 'sqlite' ? 'explain query plan' : 'explain'
    for (const account of [7, null]) {
      const asked = openOf(query, account).select('id').compile()
      const { rows } = await query.executeQuery({ ...asked, sql: `${explain} ${asked.sql}` })
      expect(JSON.stringify(rows)).toContain('upload_account')
    }
  })

  /** Rows that nobody uses since long ago. */
  async function insertOpen(count: number, account: RawBuilder<unknown>): Promise<void> {
    await sql`insert into upload
      (id, project_name, repository_name, account, storage_key, created_at, updated_at)
      with recursive s(i) as (select 1 union all select i + 1 from s where i < ${sql.lit(count)})
      select 'u' || i, 'team', 'app', ${account}, 'k' || i, 1, 1 from s`.execute(
      registry.first.db.query,
    )
  }
})
