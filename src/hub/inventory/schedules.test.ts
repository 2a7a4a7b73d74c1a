import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Job } from '../../jobs/job.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { BY_ADMIN } from '../registries/test-registries.ts'
import { createInventorySchedules } from './schedules.ts'
import { createTestInventory, type TestInventory } from './test-inventory.ts'

onEachEngine('syncs by themselves', (create) => {
  let inv: TestInventory
  let now: number
  let jobs: Job[]
  beforeEach(async () => {
    inv = await createTestInventory({ 'a/one': ['1'] }, create)
    const { db, clock } = inv.accounts
    now = clock()
    ;({ jobs } = createInventorySchedules({ db, queue: inv.queue, clock: () => now }))
  })
  afterEach(() => inv.stop())

  const fire = async (name: string) => {
    const job = jobs.find((one) => one.name === name)
    const context = {
      id: 1,
      attempt: 1,
      lastProgress: undefined,
      signal: new AbortController().signal,
    }
    await job?.run({}, { ...context, progress() {}, heartbeat: async () => {} })
  }
  const syncs = () =>
    inv.accounts.db.query.selectFrom('image_sync').selectAll().orderBy('id').execute()

  test('daily, all registries in one task; an open one is joined; old ones are forgotten', async () => {
    await inv.add('second')
    await fire('inventory.daily')
    await fire('inventory.daily')
    const made = await syncs()
    expect(made.map(({ trigger, state }) => `${trigger} ${state}`)).toEqual([
      'daily queued',
      'daily queued',
    ])
    expect(new Set(made.map(({ task }) => task)).size).toBe(1)
    const jobsMade = await inv.queue.list({ name: 'inventory.sync' })
    expect(jobsMade.items).toHaveLength(2)
    await inv.accounts.db.query.updateTable('image_sync').set({ finished_at: 1 }).execute()
    await fire('inventory.daily')
    expect(await syncs()).toHaveLength(2)
  })

  test('at the times of a registry, once for all that were missed', async () => {
    await inv.registries.update(inv.registry, { syncCron: '30 * * * *' }, BY_ADMIN)
    await fire('inventory.due')
    expect(await syncs()).toEqual([])
    now += 5 * 3_600_000
    await fire('inventory.due')
    const [made, other] = await syncs()
    expect(made).toMatchObject({ trigger: 'cron', state: 'queued' })
    expect(other).toBeUndefined()
    await inv.runOnce(made?.id ?? 0)
    await fire('inventory.due')
    expect(await syncs()).toHaveLength(1)
    now += 3_600_000
    await fire('inventory.due')
    expect(await syncs()).toHaveLength(2)
  })

  test('in the time zone of the registry', async () => {
    // Half past eight in Shanghai is half past midnight in UTC, all year.
    const times = { syncCron: '30 8 * * *', syncTimeZone: 'Asia/Shanghai' }
    await inv.registries.update(inv.registry, times, BY_ADMIN)
    const at = new Date(now)
    const due = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate(), 0, 30)
    const next = due > now ? due : due + 24 * 3_600_000
    now = next - 60_000
    await fire('inventory.due')
    expect(await syncs()).toEqual([])
    now = next
    await fire('inventory.due')
    expect(await syncs()).toMatchObject([{ trigger: 'cron' }])
  })

  test('one whose job was ended is over, so that another one can begin', async () => {
    const { sync } = await inv.request()
    const { job } = await inv.read(sync)
    await inv.accounts.db.transaction((tx) => inv.queue.cancel(tx, job ?? 0))
    await fire('inventory.due')
    expect(await inv.read(sync)).toMatchObject({ state: 'failed', error_code: 'SERVER_ERROR' })
    expect((await inv.request()).joined).toBe(false)
  })
})
