import { createClientMemory } from '../../client/client-memory.ts'
import type { ProviderName } from '../../client/provider.ts'
import { PROVIDERS } from '../../client/providers/providers.ts'
import type { RemoteRegistry } from '../../client/remote-registry.ts'
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
export interface TestInventory extends TestSync {
  server: InventoryServer
}

/** An integrated registry, and the job that reads it. */
export interface TestSync extends TestRegistries {
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
  const server = startInventoryServer(repositories)
  const provider = { limits: { concurrency: 8, pageSize: 100 } }
  const sync = await createTestSync({
    settings: { provider: 'native', address: server.url },
    connect: () => remoteOf(server.url, { provider }).registry,
    create,
  })
  return {
    ...sync,
    server,
    async stop() {
      await server.stop()
      await sync.stop()
    },
  }
}

/** Of a server that plays a product with an API of its own, read as that. */
export function createTestSyncOf(
  provider: ProviderName,
  server: { url: string },
  login: { accessKey: string; secretKey: string; apiVersion?: 'V1' | 'V2' },
  create?: () => Promise<TestDatabase>,
): Promise<TestSync> {
  const time = { now: Date.now() }
  const memory = createClientMemory({
    clock: () => time.now,
    sleep: async (ms) => {
      time.now += ms
    },
  })
  return createTestSync({
    settings: { provider, address: server.url },
    connect: () =>
      remoteOf(server.url, {
        endpoint: { provider, ...login },
        provider: PROVIDERS[provider],
        memory,
      }).registry,
    create,
  })
}

async function createTestSync({
  settings,
  connect,
  create,
}: {
  settings: { provider: ProviderName; address: string }
  connect(): RemoteRegistry
  create: (() => Promise<TestDatabase>) | undefined
}): Promise<TestSync> {
  const base = await createTestRegistries(create)
  const { db, clock } = base.accounts
  const { id: registry } = await base.add('inventory', settings)
  const queue = createJobQueue({ db, clock })
  const job = createSyncJob({
    db,
    clock,
    log: silentLog,
    queue,
    registries: base.registries,
    connect,
  })

  const context = (signal: AbortSignal): JobContext => ({
    id: 1,
    attempt: 1,
    lastProgress: undefined,
    signal,
    progress() {},
    heartbeat: async () => signal.throwIfAborted(),
  })

  const test: TestSync = {
    ...base,
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
    stop: () => base.remove(),
  }
  return test
}
