import { createOperations } from '../http/operations.ts'
import { startServer } from '../http/server.ts'
import { createJobQueue } from '../jobs/queue.ts'
import { createScheduler } from '../jobs/scheduler.ts'
import { createJobWorker } from '../jobs/worker.ts'
import { systemClock } from '../lib/clock.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import { renderMetrics } from '../lib/metrics.ts'
import type { ProcessContext, RunningProcess } from '../lib/process.ts'
import { loadTls, watchTls } from '../lib/tls.ts'
import { LIBRARY } from '../oci/reference.ts'
import { checkStoragePlace } from '../registry/place-check.ts'
import { createPulls } from '../registry/pulls.ts'
import type { LocalRegistry } from '../registry/registry.ts'
import type { Db } from '../store/db/database.ts'
import { migrate } from '../store/db/migrate.ts'
import { createBackground } from './background.ts'
import { examine } from './examine.ts'
import { createFaces } from './faces.ts'
import { buildParts, databaseAnswers } from './parts.ts'

/*
 * The composition root: every part is built here, once, by hand, and handed to those who need it.
 * `parts.ts` has what all processes share, `faces.ts` and `background.ts` what each kind adds.
 */

const OPERATIONS = ['/healthz', '/readyz', '/metrics']

/** Once per start, before any process serves: schema, keys, first administrator, `library`. */
export async function prepare(context: ProcessContext): Promise<{ adminPassword?: string }> {
  const { config } = context
  await examine(config)
  const { db, store, accounts, registry } = await buildParts(context, 'upkeep')
  try {
    await store.prove()
    await migrate(db)
    await checkStoragePlace(config, db, store)
    const admin = await accounts
      .prepare({ adminPassword: config.adminPassword })
      .catch((error: unknown) => {
        if (!isAppError(error, 'invalid_input')) throw error
        throw new AppError('invalid_input', `ENTREPOT_ADMIN_PASSWORD: ${error.message}`)
      })
    await ensureLibrary(db, registry)
    return admin?.generated ? { adminPassword: admin.password } : {}
  } finally {
    await db.close()
  }
}

/** A process that serves requests. */
export async function startWorker(context: ProcessContext): Promise<RunningProcess> {
  const { config, log, metrics, supervisor } = context
  const parts = await buildParts(context, 'requests')
  const { db, accounts, activity } = parts
  let stopping = false
  const ready = async () => !stopping && (await databaseAnswers(db))

  const pulls = createPulls({ db, clock: systemClock, log, activity })
  const faces = createFaces({ ...parts, pulls }, context)
  const operations = createOperations({
    authenticator: accounts.authenticator,
    ready: () => supervisor?.ready() ?? ready(),
    databaseAnswers: () => databaseAnswers(db),
    metrics: async () => supervisor?.metrics() ?? renderMetrics([await metrics.snapshot()]),
    settings: { metricsPublic: config.metrics.public, metricsToken: config.metrics.token },
  })

  const server = startServer({
    hostname: config.listen.address.host,
    port: config.listen.address.port,
    tls: loadTls(config),
    reusePort: supervisor !== undefined,
    publicUrl: config.publicUrl,
    trustedProxies: config.trustedProxies,
    log,
    metrics,
    faceOf(path) {
      if (OPERATIONS.includes(path)) return operations
      const face = faces.find(({ owns }) => owns(path))?.face
      return face ?? (path === '/' ? operations : undefined)
    },
  })
  const tlsWatch = watchTls(config, (pair) => server.reloadTls(pair), {
    onProblem: (error) => log.error('certificate not reloaded', { error }),
  })

  return {
    port: server.port,
    ready,
    async stop(graceMs) {
      stopping = true
      tlsWatch.stop()
      for (const { face } of faces) face.stop?.()
      await server.stop(graceMs)
      await pulls.stop()
      await activity.stop()
      await db.close()
    },
  }
}

/** The process that does the work in the background. */
export async function startJobs(context: ProcessContext): Promise<RunningProcess> {
  const { config, log, metrics } = context
  const parts = await buildParts(context, 'jobs')
  const { db } = parts
  const clock = systemClock
  const queue = createJobQueue({ db, clock })
  const { jobs, longJobs, schedules } = createBackground(parts, context)
  const worker = createJobWorker({ db, queue, jobs, log, metrics, clock })
  const longWorker = createJobWorker({
    db,
    queue,
    jobs: longJobs,
    log,
    metrics,
    clock,
    concurrency: config.transfers.atOnce,
    leaseMs: config.transfers.lease,
    // Somebody waits for it in a terminal.
    pollMs: 250,
  })
  const scheduler = createScheduler({ db, queue, log, clock, schedules })
  worker.start()
  longWorker.start()
  await scheduler.start()
  return {
    ready: () => databaseAnswers(db),
    async stop() {
      await scheduler.stop()
      await Promise.all([worker.stop(), longWorker.stop()])
      await parts.activity.stop()
      await db.close()
    },
  }
}

/** The project of names without a slash exists from the start, for everybody to pull from. */
async function ensureLibrary(db: Db, { projects }: LocalRegistry): Promise<void> {
  if (await projects.get(LIBRARY)) return
  try {
    await db.transaction((tx) =>
      projects.create(tx, { name: LIBRARY, isPublic: true, createdBy: null }),
    )
  } catch (error) {
    if (!isAppError(error, 'conflict')) throw error
  }
}
