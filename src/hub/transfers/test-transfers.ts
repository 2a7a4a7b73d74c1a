import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Accounts, createAccounts } from '../../accounts/accounts.ts'
import { createActingFor } from '../../accounts/acting-for.ts'
import type { Principal } from '../../accounts/principal.ts'
import { PASSWORD, SERVICE, testSealer } from '../../accounts/test-accounts.ts'
import { createJobQueue, type JobQueue } from '../../jobs/queue.ts'
import { createJobWorker, type JobWorker } from '../../jobs/worker.ts'
import { silentLog } from '../../lib/log.ts'
import type { Registry } from '../../oci/registry.ts'
import { asRegistry } from '../../registry/as-registry.ts'
import { createProjects } from '../../registry/projects.ts'
import { createRegistry, type LocalRegistry } from '../../registry/registry.ts'
import { openFileStore } from '../../store/blobs/file-store.ts'
import type { Db } from '../../store/db/database.ts'
import { createMigrated, type TestDatabase } from '../../store/db/test-databases.ts'
import type { RegistryRecord } from '../registries/record.ts'
import { createRegistries, type Registries } from '../registries/registries.ts'
import type { TransferAccess } from './ends.ts'
import { createTagStoodFor } from './tag-stood-for.ts'
import { createMemoryRegistry, type MemoryRegistry } from './test-memory-registry.ts'
import type { Transfer } from './transfer.ts'
import { createTransferJob, type TransferJobDeps } from './transfer-job.ts'
import { transfersOf } from './transfer-rows.ts'
import { createTransfers, type Transfers } from './transfers.ts'

/* Transfers over a real database and a real registry of ours; those of others are in memory. */

export interface TestTransfers {
  db: Db
  queue: JobQueue
  accounts: Accounts
  ours: LocalRegistry
  /** Our registry as a transfer of this person sees it. */
  oursAs(principal: Principal): Registry
  registries: Registries
  transfers: Transfers
  root: Principal
  /** Moves the time of everything but the leases of jobs. */
  pass(ms: number): void
  person(
    name: string,
    projects?: Record<string, 'guest' | 'developer' | 'maintainer'>,
  ): Promise<Principal>
  project(name: string): Promise<{ id: number; name: string }>
  /** A registry of others, with what is behind it. */
  external(
    name: string,
    options?: { namespace?: string; projects?: 'all' | number[] },
  ): Promise<MemoryRegistry & { record: RegistryRecord }>
  work(options?: Partial<TransferJobDeps>): JobWorker
  /** Waits until the transfer looks so. */
  until(id: number, isSo: (transfer: Transfer) => boolean): Promise<Transfer>
  remove(): Promise<void>
}

export async function createTestTransfers(
  create: () => Promise<TestDatabase>,
): Promise<TestTransfers> {
  const { db, test } = await createMigrated(create)
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-transfers-'))
  let passed = 0
  const clock = () => Date.now() + passed
  const sealer = testSealer
  const settings = { anonymousWrite: false, projectCreators: 'all' } as const
  const accounts = createAccounts({
    db,
    clock,
    sealer,
    settings: { authorize: settings, service: SERVICE },
  })
  await accounts.signingKeys.prepare()
  const { authorizer } = accounts
  const projects = createProjects({ db, clock })
  const ours = createRegistry({
    db,
    store: await openFileStore(folder),
    clock,
    authorizer,
    projects,
    settings: { sparse: false },
    writer: 'test',
  })
  const registries = createRegistries({ db, clock, sealer, useSources: [transfersOf] })
  const behind = new Map<string, MemoryRegistry>()
  const queue = createJobQueue({ db, clock: Date.now })
  const access: TransferAccess = { authorizer, projects, registries }
  const transfers = createTransfers({ db, clock, queue, access })
  const workers: JobWorker[] = []
  const rootId = await accounts.users.create({ name: 'root', password: PASSWORD, isAdmin: true })
  const root: Principal = { kind: 'user', account: rootId.id, name: 'root', isAdmin: true }

  const adapter = (principal: () => Promise<Principal>) =>
    asRegistry({
      registry: ours,
      authorizer,
      clock,
      principal,
      settings: { publicByDefault: false },
    })

  return {
    db,
    queue,
    accounts,
    ours,
    oursAs: (principal) => adapter(async () => principal),
    registries,
    transfers,
    root,
    pass(ms) {
      passed += ms
    },

    async person(name, roles = {}) {
      const { id } = await accounts.users.create({ name, password: PASSWORD })
      for (const [project, role] of Object.entries(roles)) {
        const found = await projects.get(project)
        if (found) await accounts.members.put(found.id, id, role)
      }
      return { kind: 'user', account: id, name, isAdmin: false }
    },

    project: (name) =>
      db.transaction((tx) => projects.create(tx, { name, isPublic: false, createdBy: null })),

    async external(name, { namespace = '', projects: scope = 'all' } = {}) {
      const registry = createMemoryRegistry()
      behind.set(name, registry)
      const record = await registries.create(
        {
          name,
          provider: 'native',
          address: `https://${name}.example.com`,
          namespace,
          projects: scope,
          origin: 'api',
          createdBy: rootId.id,
        },
        { mayUsePrivate: true },
      )
      return Object.assign(registry, { record })
    },

    work(options = {}) {
      const job = createTransferJob({
        db,
        clock,
        log: silentLog,
        sealer,
        access,
        actingFor: createActingFor({ db, clock }),
        ownRegistry: adapter,
        connect({ registry }) {
          const found = behind.get(registry.name)
          if (!found) throw new Error(`no registry ${registry.name}`)
          return found
        },
        byRunner: {
          copy: async () => {
            throw new Error('there is no runner')
          },
          forgetCopy: async () => {},
        },
        tagStoodFor: createTagStoodFor(ours),
        perRegistry: 2,
        writeMs: 20,
        ...options,
      })
      const worker = createJobWorker({ db, queue, jobs: [job], log: silentLog, pollMs: 20 })
      workers.push(worker)
      worker.start()
      return worker
    },

    async until(id, isSo) {
      for (const start = Date.now(); Date.now() - start < 20_000; await Bun.sleep(10)) {
        const transfer = await transfers.get(id, root)
        if (isSo(transfer)) return transfer
      }
      const last = JSON.stringify(await transfers.get(id, root))
      throw new Error(`the transfer did not become as expected: ${last}`)
    },

    async remove() {
      await Promise.all(workers.map((worker) => worker.stop()))
      await test.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
