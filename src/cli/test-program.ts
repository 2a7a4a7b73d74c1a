import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderMetrics } from '../lib/metrics-text.ts'
import type { ProcessContext, ProcessLoaders, RunningProcess } from '../lib/process.ts'
import { loadTls } from '../lib/tls.ts'
import { run } from './run.ts'

/*
 * The command line over processes that only do what a test asks for: `/pid`, `/slow?ms=`,
 * `/crash`, and the questions to the supervisor. PREPARE_MS makes the preparation take time.
 */

const loaders: ProcessLoaders = {
  prepare:
    async () =>
    async ({ config, log }) => {
      log.info('preparing')
      await Bun.sleep(Number(process.env.PREPARE_MS ?? 0))
      const marker = join(config.data, 'prepared')
      if (existsSync(marker)) return {}
      writeFileSync(marker, '')
      return { adminPassword: 'generated-password' }
    },
  worker: async () => async (context) => serveWorker(context),
  jobs: async () => async () => ({ ready: async () => true, stop: async () => {} }),
}

function serveWorker({ config, metrics, name, supervisor }: ProcessContext): RunningProcess {
  const { host, port } = config.listen.address
  const tls = loadTls(config)
  const requests = metrics.counter({ name: 'test_requests_total', help: 'Requests to the test.' })
  const server = Bun.serve({
    hostname: host,
    port,
    reusePort: true,
    ...(tls ? { tls } : {}),
    routes: {
      '/pid': () => {
        requests.inc()
        return Response.json({ name, pid: process.pid })
      },
      '/slow': async (request) => {
        await Bun.sleep(Number(new URL(request.url).searchParams.get('ms')))
        return new Response('finished')
      },
      '/crash': () => process.exit(9),
      '/metrics': async () => new Response(renderMetrics((await supervisor?.snapshots()) ?? [])),
      '/readyz': async () => Response.json(await supervisor?.ready()),
    },
  })
  return {
    port: server.port ?? port,
    ready: async () => true,
    async stop(graceMs) {
      await Promise.race([server.stop(), Bun.sleep(graceMs)])
    },
  }
}

await run(process.argv.slice(2), loaders)
