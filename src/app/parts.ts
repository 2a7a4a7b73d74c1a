import { type Accounts, createAccounts } from '../accounts/accounts.ts'
import { createChartRecorder } from '../charts/recorder.ts'
import { TOKEN_SERVICE } from '../http/v2/challenge.ts'
import { requestSync } from '../hub/inventory/request-sync.ts'
import { createRegistries, type Registries } from '../hub/registries/registries.ts'
import { requestCheck } from '../hub/registries/request-check.ts'
import { transfersOf } from '../hub/transfers/transfer-rows.ts'
import { createJobQueue, type JobQueue } from '../jobs/queue.ts'
import { systemClock } from '../lib/clock.ts'
import { newHex } from '../lib/ids.ts'
import type { ProcessContext } from '../lib/process.ts'
import { createSealer, loadSealingKey, type Sealer } from '../lib/secrets.ts'
import { type Activity, createActivity } from '../registry/activity.ts'
import { createProjects } from '../registry/projects.ts'
import { createRegistry, type LocalRegistry } from '../registry/registry.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { openBlobStore } from '../store/blobs/open.ts'
import type { Db } from '../store/db/database.ts'
import { type DatabaseUse, databaseOf, openDatabase } from '../store/db/open.ts'
import { type JournalStore, openJournalStore } from '../store/journal/journal-store.ts'

/** What every process of an installation is built from. */
export interface Parts {
  db: Db
  store: BlobStore
  /** In the same place as the blobs. */
  journal: JournalStore
  sealer: Sealer
  accounts: Accounts
  registry: LocalRegistry
  activity: Activity
  /** The one of this process, so that all who listen to it hear of every change. */
  queue: JobQueue
  /** Those of others. */
  registries: Registries
}

export async function buildParts(
  { config, log, name, supervisor }: ProcessContext,
  use: DatabaseUse,
): Promise<Parts> {
  const clock = systemClock
  const db = await openDatabase({ ...databaseOf(config, use), checkpoints: use === 'jobs' })
  const store = await openBlobStore(config)
  const journal = await openJournalStore(config)
  const sealingKey = await loadSealingKey({ value: config.sealingKey, dataFolder: config.data })
  const sealer = createSealer(sealingKey)
  const accounts = createAccounts({
    db,
    clock,
    sealer,
    log,
    settings: {
      authorize: {
        anonymousWrite: config.access.anonymousWrite,
        projectCreators: config.projects.creators,
      },
      service: TOKEN_SERVICE,
      tokenLifetimeSeconds: config.tokens.lifetime / 1000,
      sessionIdleMs: config.sessions.idleTimeout,
      sessionLifetimeMs: config.sessions.lifetime,
    },
  })
  const activity = createActivity({ db, clock, log })
  const registry = createRegistry({
    db,
    store,
    clock,
    authorizer: accounts.authorizer,
    projects: createProjects({ db, clock }),
    settings: {
      sparse: config.manifests.sparse,
      openUploadsPerAccount: config.uploads.openPerAccount,
    },
    writer: `${name}-${newHex(8)}`,
    watch: createChartRecorder({ clock, log }),
    activity,
  })
  const queue = createJobQueue({ db, clock })
  if (use === 'requests') queue.onChange(() => supervisor?.wakeJobs())
  const registries = createRegistries({
    db,
    clock,
    sealer,
    useSources: [transfersOf],
    async whenChanged(tx, changed) {
      await requestCheck(queue, tx, changed)
      await requestSync(queue, tx, { registry: changed.id, trigger: 'change', now: clock() })
    },
  })
  return { db, store, journal, sealer, accounts, registry, activity, queue, registries }
}

/** Who asks whether a process is ready waits no longer. */
const ANSWER_MS = 1_500

export async function databaseAnswers(db: Db): Promise<boolean> {
  const answer = db.urgent
    .selectFrom('setting')
    .select('key')
    .limit(1)
    .execute()
    .then(
      () => true,
      () => false,
    )
  return Promise.race([answer, Bun.sleep(ANSWER_MS).then(() => false)])
}
