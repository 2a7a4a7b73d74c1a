import { createOperations } from '../http/operations.ts'
import { startServer } from '../http/server.ts'
import { systemClock } from '../lib/clock.ts'
import { isAppError } from '../lib/errors.ts'
import { renderMetrics } from '../lib/metrics-text.ts'
import type { ProcessContext, RunningProcess } from '../lib/process.ts'
import { loadTls, watchTls } from '../lib/tls.ts'
import { createPulls } from '../registry/pulls.ts'
import type { LocalRegistry } from '../registry/registry.ts'
import { createFaces } from './faces.ts'
import { buildParts, databaseAnswers } from './parts.ts'

const OPERATIONS = ['/healthz', '/readyz', '/metrics']

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
    whyReadOnly: () => whyReadOnly(parts.registry),
    metrics: async () =>
      renderMetrics((await supervisor?.snapshots()) ?? [await metrics.snapshot()]),
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
    drain: () => server.drain(),
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

async function whyReadOnly({ uploads }: LocalRegistry): Promise<string | undefined> {
  try {
    await uploads.demandRoom(0)
    return undefined
  } catch (error) {
    if (isAppError(error, 'storage_full')) return error.message
    throw error
  }
}
