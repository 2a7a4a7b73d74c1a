import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createLog } from '../../lib/log.ts'
import { createActivity } from '../../registry/activity.ts'
import { dayOf, sampleUsage } from '../../registry/usage-days.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

interface Day {
  at: number
  logicalBytes: number
  uniqueBytes: number
  physicalBytes: number | null
  pushes: number
  pulls: number
}

onEachEngine('use over time', (create) => {
  let api: TestApi
  beforeEach(async () => {
    api = await createTestApi(create)
    await api.accounts.createUser('alice')
    await api.accounts.createUser('stranger')
    await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name: 'payments' } })
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'open', public: true } })
  })
  afterEach(async () => {
    expect(api.failures).toEqual([])
    await api.remove()
  })

  const log = createLog({ level: 'error', format: 'json', output: () => {} })
  const days = async (path: string, as?: string) =>
    (await api.expect(200, 'GET', path, { as })).body.items as unknown as Day[]

  test('is sampled by day, the last sample of a day counts, and today is now', async () => {
    const { db, clock } = api.accounts
    await api.push('payments/app', 'a')
    await sampleUsage(db, clock())
    await api.push('payments/app', 'b', { annotations: { b: '' } })
    await sampleUsage(db, clock())
    const [today] = await days('/projects/payments/usage', 'alice')
    api.accounts.pass(2 * DAY_MS)
    await sampleUsage(db, clock())
    api.accounts.pass(HOUR_MS)
    await api.push('open/web', 'c', { annotations: { c: '' } })

    const ofProject = await days('/projects/payments/usage', 'alice')
    expect(ofProject).toHaveLength(2)
    expect(ofProject[0]).toEqual(today as Day)
    expect(ofProject[0]?.at).toBe(dayOf(clock() - 2 * DAY_MS) * DAY_MS)
    expect(ofProject[1]).toMatchObject({ physicalBytes: null, pushes: 0, pulls: 0 })
    const [, open] = await days('/projects/open/usage')
    expect(open?.uniqueBytes).toBeGreaterThan(0)

    const ofSystem = await days('/usage', 'root')
    expect(ofSystem.map(({ uniqueBytes }) => uniqueBytes)).toEqual([
      ofProject[0]?.uniqueBytes ?? 0,
      (ofProject[1]?.uniqueBytes ?? 0) + (open?.uniqueBytes ?? 0),
    ])
    expect(ofSystem[0]?.physicalBytes).toBeGreaterThan(0)
    // Only what is public.
    const ofStranger = await days('/usage', 'stranger')
    expect(ofStranger.at(-1)).toMatchObject({ ...open, physicalBytes: null })
    expect(ofStranger[0]?.uniqueBytes).toBe(0)
    expect(await days('/usage?days=1', 'alice')).toHaveLength(1)
    await api.expect(400, 'GET', '/usage?days=0', { as: 'alice' })
    await api.expect(404, 'GET', '/projects/payments/usage', { as: 'stranger' })
  })

  test('counts pushes and pulls, of an index once, and adds what several processes counted', async () => {
    const { db, clock } = api.accounts
    await api.push('payments/app', 'a')
    const { id: manifest, ...row } = await db.query
      .selectFrom('manifest')
      .selectAll()
      .executeTakeFirstOrThrow()
    const project = await api.registry.projects.get('payments')
    const part = await db.query
      .insertInto('manifest')
      .values({ ...row, digest: `sha256:${'3'.repeat(64)}`, listed: 0 })
      .returning('id')
      .executeTakeFirstOrThrow()
    const processes = [1, 2].map(() => createActivity({ db, clock, log }))
    for (const process of processes) {
      process.pushed(project?.id ?? 0)
      process.pulled(manifest)
      process.pulled(manifest)
      process.pulled(part.id)
      process.pulled(999_999)
    }
    await Promise.all(processes.map((process) => process.stop()))
    const wanted = { pushes: 2, pulls: 4 }
    expect((await days('/projects/payments/usage', 'alice')).at(-1)).toMatchObject(wanted)
    expect((await days('/usage', 'root')).at(-1)).toMatchObject(wanted)
    expect((await days('/usage', 'alice')).at(-1)).toMatchObject(wanted)
    // A sample keeps what was counted.
    await sampleUsage(db, clock())
    expect((await days('/usage', 'root')).at(-1)).toMatchObject(wanted)
  })

  test('forgets what is older than two years', async () => {
    const { db, clock } = api.accounts
    await sampleUsage(db, clock() - 800 * DAY_MS)
    await sampleUsage(db, clock())
    const kept = await db.query.selectFrom('usage').select('day').distinct().execute()
    expect(kept).toEqual([{ day: dayOf(clock()) }])
  })
})
