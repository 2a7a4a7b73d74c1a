import { remoteOf } from '../../client/test-remote.ts'
import { type JobContext, Postponed } from '../../jobs/job.ts'
import { createJobQueue, type JobQueue } from '../../jobs/queue.ts'
import { silentLog } from '../../lib/log.ts'
import type { TestDatabase } from '../../store/db/test-databases.ts'
import { createTestRegistries, type TestRegistries } from '../registries/test-registries.ts'
import { requestSync } from './request-sync.ts'
import { createSyncJob } from './sync-job.ts'
import type { SyncRow } from './sync-rows.ts'
import { type InventoryServer, startInventoryServer } from './test-inventory-server.ts'

/** A registry of made-up images, integrated, and the job that reads it. */
export interface TestInventory extends TestRegistries {
  server: InventoryServer
  queue: JobQueue
  registry: string
  /** Asks for a sync and runs it, also after pauses. */
  sync(options?: { signal?: AbortSignal }): Promise<SyncRow>
  /** One run of one that was asked for. */
  runOnce(id: number, options?: { signal?: AbortSignal }): Promise<void>
  request(trigger?: SyncRow['trigger']): Promise<{ sync: number; joined: boolean }>
  read(id: number): Promise<SyncRow>
  /** `repository:tag` of what is there, sorted. */
  names(): Promise<string[]>
  stop(): Promise<void>
}

export async function createTestInventory(
  repositories: Record<string, string[]>,
  create?: () => Promise<TestDatabase>,
): Promise<TestInventory> {
  const base = await createTestRegistries(create)
  const { db, clock } = base.accounts
  const server = startInventoryServer(repositories)
  const { id: registry } = await base.add('inventory', { provider: 'native', address: server.url })
  const queue = createJobQueue({ db, clock })
  const job = createSyncJob({
    db,
    clock,
    log: silentLog,
    queue,
    registries: base.registries,
    connect: () =>
      remoteOf(server.url, { provider: { limits: { concurrency: 8, pageSize: 100 } } }).registry,
  })

  const context = (signal: AbortSignal): JobContext => ({
    id: 1,
    attempt: 1,
    lastProgress: undefined,
    signal,
    progress() {},
    heartbeat: async () => signal.throwIfAborted(),
  })

  const test: TestInventory = {
    ...base,
    server,
    queue,
    registry,
    request: (trigger = 'manual') =>
      db.transaction((tx) => requestSync(queue, tx, { registry, trigger, now: clock() })),
    runOnce: async (id, { signal = new AbortController().signal } = {}) => {
      await job.run({ sync: id, registry }, context(signal))
    },
    async sync(options) {
      const { sync } = await test.request()
      for (;;) {
        try {
          await test.runOnce(sync, options)
          return await test.read(sync)
        } catch (error) {
          if (!(error instanceof Postponed)) throw error
        }
      }
    },
    read: (id) =>
      db.query.selectFrom('image_sync').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
    async names() {
      const rows = await db.query
        .selectFrom('registry_image')
        .select(['repository', 'tag'])
        .where('gone_at', 'is', null)
        .execute()
      return rows.map(({ repository, tag }) => `${repository}:${tag}`).sort()
    },
    async stop() {
      await server.stop()
      await base.remove()
    },
  }
  return test
}
