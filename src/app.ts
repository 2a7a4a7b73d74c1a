import { join } from 'node:path'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { createAccountsJob } from './accounts/jobs.ts'
import { createCharts } from './charts/charts.ts'
import { createChartRecorder } from './charts/recorder.ts'
import { isChartPath } from './http/charts/routes.ts'
import { lazyFace } from './http/lazy-face.ts'
import { createOperations } from './http/operations.ts'
import { startServer } from './http/server.ts'
import { tokenFace } from './http/token/face.ts'
import { createGrant } from './http/token/grants.ts'
import { createTokenEndpoint } from './http/token/token.ts'
import { TOKEN_SERVICE } from './http/v2/challenge.ts'
import { createV2 } from './http/v2/v2.ts'
import { createHistoryJob } from './jobs/history.ts'
import { createJobQueue } from './jobs/queue.ts'
import { createScheduler } from './jobs/scheduler.ts'
import { createJobWorker } from './jobs/worker.ts'
import { systemClock } from './lib/clock.ts'
import { AppError, isAppError } from './lib/errors.ts'
import { newHex } from './lib/ids.ts'
import { renderMetrics } from './lib/metrics.ts'
import type { ProcessContext, RunningProcess } from './lib/process.ts'
import { createSealer, loadSealingKey } from './lib/secrets.ts'
import { loadTls, watchTls } from './lib/tls.ts'
import { LIBRARY } from './oci/reference.ts'
import { createRegistryJobs } from './registry/jobs.ts'
import { createProjects } from './registry/projects.ts'
import { createPulls } from './registry/pulls.ts'
import { createRegistry, type LocalRegistry } from './registry/registry.ts'
import type { BlobStore } from './store/blobs/blob-store.ts'
import { openFileStore } from './store/blobs/file-store.ts'
import type { Db } from './store/db/database.ts'
import { migrate } from './store/db/migrate.ts'
import { openDatabase } from './store/db/open.ts'

/*
 * The composition root: every part is built here, once, by hand, and handed to those who need it.
 */

const OPERATIONS = ['/', '/healthz', '/readyz', '/metrics']

interface Parts {
  db: Db
  store: BlobStore
  accounts: Accounts
  registry: LocalRegistry
}

/** Once per start, before any process serves: schema, keys, first administrator, `library`. */
export async function prepare(context: ProcessContext): Promise<{ adminPassword?: string }> {
  const parts = await build(context)
  const { db, accounts, registry } = parts
  try {
    await migrate(db)
    const admin = await accounts
      .prepare({ adminPassword: context.config.adminPassword })
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
  const parts = await build(context)
  const { db, accounts, registry } = parts
  const { authenticator, authorizer } = accounts
  let stopping = false
  const ready = async () => !stopping && (await answers(db))

  const pulls = createPulls({ db, clock: systemClock, log })
  const v2 = createV2({
    registry,
    pulls,
    authenticator,
    authorizer,
    log,
    metrics,
    settings: {
      bodyIdleMs: config.uploads.idleTimeout,
      publicByDefault: config.projects.publicByDefault,
    },
  })
  const token = tokenFace(
    createTokenEndpoint({
      authenticator,
      registryTokens: accounts.registryTokens,
      refreshTokens: accounts.refreshTokens,
      grant: createGrant({ authorizer, findProject: registry.projects.find }),
    }),
    log,
  )
  const api = lazyFace(async () => {
    const { createApi } = await import('./http/api/api.ts')
    return createApi({
      db,
      clock: systemClock,
      accounts,
      registry,
      queue: createJobQueue({ db, clock: systemClock }),
      log,
      settings: { publicByDefault: config.projects.publicByDefault },
    })
  })
  const charts = createCharts({ db, registry })
  const ccr = lazyFace(async () => {
    const { createCcr } = await import('./http/ccr/ccr.ts')
    return createCcr({
      db,
      clock: systemClock,
      accounts,
      registry,
      charts,
      log,
      settings: { timeZone: config.ccr.timeZone },
    })
  })
  const chartFace = lazyFace(async () => {
    const { createChartFace } = await import('./http/charts/face.ts')
    return createChartFace({
      charts,
      registry,
      accounts,
      clock: systemClock,
      log,
      settings: {
        bodyIdleMs: config.uploads.idleTimeout,
        publicByDefault: config.projects.publicByDefault,
      },
    })
  })
  const operations = createOperations({
    authenticator,
    ready: () => supervisor?.ready() ?? ready(),
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
      if (path === '/v2' || path.startsWith('/v2/')) return v2
      if (path === '/token') return token
      if (path === '/api/v1' || path.startsWith('/api/v1/')) return api
      if (path.startsWith('/api/ccr/')) return ccr
      if (isChartPath(path)) return chartFace
      if (OPERATIONS.includes(path)) return operations
      return undefined
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
      await server.stop(graceMs)
      await pulls.stop()
      await db.close()
    },
  }
}

/** The process that does the work in the background. */
export async function startJobs(context: ProcessContext): Promise<RunningProcess> {
  const { config, log } = context
  const { db, store, accounts, registry } = await build(context, { checkpoints: true })
  const clock = systemClock
  const queue = createJobQueue({ db, clock })
  const { jobs, schedules } = createRegistryJobs({
    db,
    store,
    clock,
    uploads: registry.uploads,
    uploadsExpireAfter: config.uploads.expireAfter,
  })
  const history = createHistoryJob({ db, clock })
  const sweepAccounts = createAccountsJob(accounts)
  const worker = createJobWorker({ db, queue, jobs: [...jobs, history, sweepAccounts], log, clock })
  const scheduler = createScheduler({
    db,
    queue,
    log,
    clock,
    schedules: [
      ...schedules,
      { name: history.name, type: history, payload: {}, cron: '43 3 * * *' },
      { name: sweepAccounts.name, type: sweepAccounts, payload: {}, cron: '29 * * * *' },
    ],
  })
  worker.start()
  await scheduler.start()
  return {
    ready: () => answers(db),
    async stop() {
      await scheduler.stop()
      await worker.stop()
      await db.close()
    },
  }
}

async function build(
  { config, log, name }: ProcessContext,
  { checkpoints = false } = {},
): Promise<Parts> {
  const clock = systemClock
  const db = openDatabase({ url: config.database.url, dataFolder: config.data, checkpoints })
  const store = await openFileStore(join(config.data, 'blobs'))
  const sealingKey = await loadSealingKey({ value: config.sealingKey, dataFolder: config.data })
  const accounts = createAccounts({
    db,
    clock,
    sealer: createSealer(sealingKey),
    log,
    settings: {
      authorize: {
        anonymousWrite: config.access.anonymousWrite,
        projectCreators: config.projects.creators,
      },
      service: TOKEN_SERVICE,
      tokenLifetimeSeconds: config.tokens.lifetime / 1000,
    },
  })
  const registry = createRegistry({
    db,
    store,
    clock,
    authorizer: accounts.authorizer,
    projects: createProjects({ db, clock }),
    settings: { sparse: config.manifests.sparse },
    writer: `${name}-${newHex(8)}`,
    watch: createChartRecorder({ clock, log }),
  })
  return { db, store, accounts, registry }
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

async function answers(db: Db): Promise<boolean> {
  return db.query
    .selectFrom('setting')
    .select('key')
    .limit(1)
    .execute()
    .then(
      () => true,
      () => false,
    )
}
