import { afterEach, expect, test } from 'bun:test'
import { z } from 'zod'
import { createJobQueue } from '../../jobs/queue.ts'
import { createGuardedFetch } from '../../lib/guarded-fetch.ts'
import { silentLog } from '../../lib/log.ts'
import { requestSync } from '../inventory/request-sync.ts'
import { createSyncJob } from '../inventory/sync-job.ts'
import { createTestInventory, type TestInventory } from '../inventory/test-inventory.ts'
import { BY_ADMIN, PLANTED } from '../registries/test-registries.ts'
import { createByRunner } from '../runners/by-runner.ts'
import { Page, Result, type RunnerTaskView } from '../runners/protocol.ts'
import { addRunner, type TestRunner, testRunnerService } from '../runners/test-runner.ts'
import { createPerformTask } from './perform-task.ts'
import { failureOf, partsOf, plainText } from './wire-values.ts'

let inv: TestInventory
afterEach(() => inv.stop())

/** A runner in this process, which says everything as it would be sent, until it is stopped. */
function startRunner({ privateKey, header }: TestRunner, only: string[] = []) {
  const { db, clock } = inv.accounts
  const service = testRunnerService({ db, clock })
  const stop = new AbortController()
  const perform = createPerformTask({
    privateKey,
    fetch: createGuardedFetch({ allowedNetworks: ['127.0.0.0/8'] }),
    clock,
    log: silentLog,
    userAgent: 'test',
    only,
    copyNotes: {
      of() {
        throw new Error('nothing is copied here')
      },
    },
    hubRegistry() {
      throw new Error('nothing is copied here')
    },
    async tell(task, path, body, answer) {
      const sent: unknown = JSON.parse(JSON.stringify(body))
      const runner = await service.access.authenticate(header)
      if (path === 'pages') {
        const { page } = z.object({ page: Page }).parse(sent)
        await service.tasks.page(runner, task, page)
        return answer.parse(undefined)
      }
      const { tags } = z.object({ tags: z.array(z.string()) }).parse(sent)
      return answer.parse({ items: await service.tasks.known(runner, task, tags) })
    },
  })

  async function work(task: RunnerTaskView): Promise<void> {
    const runner = await service.access.authenticate(header)
    const result = await perform(task, stop.signal).catch((error: unknown) => ({
      kind: 'failed' as const,
      failure: failureOf(error),
    }))
    const sent = Result.parse(JSON.parse(JSON.stringify(result)))
    await service.tasks.end(runner, task, sent)
  }
  async function loop(): Promise<void> {
    const options = { begins: false, held: [], slots: 4, copies: 3, waitMs: 50, version: '1' }
    while (!stop.signal.aborted) {
      const runner = await service.access.authenticate(header)
      const { tasks } = await service.tasks.lease(runner, options)
      await Promise.all(tasks.map(work))
    }
  }
  const ended = loop()
  return async () => {
    stop.abort()
    await ended
  }
}

const rowsOf = (registry: string) =>
  inv.accounts.db.query
    .selectFrom('registry_image')
    .select(['repository', 'namespace', 'image_name', 'tag', 'digest', 'media_type', 'size'])
    .select(['is_multiarch', 'platforms', 'children', 'latest_version', 'updated_at', 'gone_at'])
    .where('registry', '=', registry)
    .orderBy('repository')
    .orderBy('tag')
    .execute()

async function syncByRunner(registry: string) {
  const { db, clock } = inv.accounts
  const queue = createJobQueue({ db, clock })
  const job = createSyncJob({
    db,
    clock,
    log: silentLog,
    queue,
    registries: inv.registries,
    connect: () => {
      throw new Error('the hub does not speak to it')
    },
    byRunner: createByRunner({ db, clock }).read,
  })
  const { sync } = await db.transaction((tx) =>
    requestSync(queue, tx, { registry, trigger: 'manual', now: clock() }),
  )
  const { signal } = new AbortController()
  const idle = { progress() {}, heartbeat: async () => {} }
  await job.run({ sync, registry }, { id: 1, attempt: 1, lastProgress: undefined, signal, ...idle })
  return inv.read(sync)
}

test('an inventory through a runner is the one that the hub would have made', async () => {
  inv = await createTestInventory({
    'team/app': ['1.0', '2.0', 'multi-3', `sha256-${'a'.repeat(64)}.sig`],
    'team/gone': ['1'],
    tools: ['latest'],
  })
  await inv.sync()
  const east = await addRunner(inv.accounts, 'east')
  const stop = startRunner(east)
  try {
    const at = { connectClusterId: 'east', provider: 'native', address: inv.server.url } as const
    const { id } = await inv.add('far', at)
    const first = await syncByRunner(id)
    expect(first).toMatchObject({ state: 'done', images: 5, repositories_done: 3, error: null })
    expect(await rowsOf(id)).toEqual(await rowsOf(inv.registry))

    inv.server.reset()
    inv.server.change('team/app', '1.0')
    inv.server.setTags('team/gone', undefined)
    expect(await syncByRunner(id)).toMatchObject({ state: 'done', images: 4, manifests_read: 1 })
    expect(inv.server.counts).toMatchObject({ head: 4, manifest: 1 })
    await inv.sync()
    expect(await rowsOf(id)).toEqual(await rowsOf(inv.registry))

    inv.server.refuse = (kind, path) =>
      kind === 'tags' && path.startsWith('tools/') ? 400 : undefined
    const partial = await syncByRunner(id)
    expect(partial).toMatchObject({ state: 'partial', repositories_failed: 1 })
    expect(partial.reasons).toContain('tools')
  } finally {
    await stop()
  }
}, 60_000)

test('a password goes to no other address than it was given for, nor to others than allowed', async () => {
  inv = await createTestInventory({ tools: ['latest'] })
  const east = await addRunner(inv.accounts, 'east')
  const at = { connectClusterId: 'east', provider: 'native', address: inv.server.url } as const
  const { id } = await inv.add('far', { ...at, secret: PLANTED })
  const { db, clock } = inv.accounts
  const check = async () => {
    const registry = await inv.registries.get(id)
    if (!registry) throw new Error('no registry')
    return createByRunner({ db, clock }).check(registry, undefined)
  }
  const stop = startRunner(east)
  try {
    expect(await check()).toMatchObject({ ok: true, code: null })
    // As somebody could who has taken the hub's database over.
    for (const change of [
      { address: 'http://127.0.0.1:9' },
      { verify_tls: 0 as const },
      { provider: 'nexus' },
    ]) {
      const before = await db.query
        .selectFrom('registry')
        .select(['address', 'verify_tls', 'provider'])
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
      await db.query.updateTable('registry').set(change).where('id', '=', id).execute()
      const refused = await check()
      expect(refused).toMatchObject({ ok: false, code: 'SERVER_ERROR' })
      expect(refused.reason).toContain('was given for another address')
      await db.query.updateTable('registry').set(before).where('id', '=', id).execute()
    }
    const asRegion = (region: string) =>
      db.query.updateTable('registry').set({ region }).where('id', '=', id).execute()
    await asRegion('example.com/')
    expect((await check()).reason).toContain('a region that is none')
    await asRegion('')
    await inv.registries.update(id, { notes: 'as it was' }, BY_ADMIN)
  } finally {
    await stop()
  }
  const stopNarrow = startRunner(east, ['registry.example.com:443'])
  try {
    expect((await check()).reason).toContain('registry.example.com:443 alone')
  } finally {
    await stopNarrow()
  }
}, 60_000)

test('what is sent is within its bounds', async () => {
  inv = await createTestInventory({})
  expect(plainText('a\n\u0000b\ud800', 10)).toBe('a b\ufffd')
  expect(plainText('x'.repeat(20), 10)).toHaveLength(10)
  const entries = Array.from({ length: 1_000 }, (_, i) => ({ name: `${i}`.padEnd(1_000, 'x') }))
  const parts = [...partsOf(entries, 500)]
  expect(parts.flat()).toEqual(entries)
  expect(Math.max(...parts.map((part) => JSON.stringify(part).length))).toBeLessThan(300_000)
})
