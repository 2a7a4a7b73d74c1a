import { join } from 'node:path'
import { projectFolder } from '../paths.ts'
import page from '../web/dev.html'

/*
 * `npm run dev`: the server with reload on its usual port, and the console with reload on
 * another one, which passes everything else on. Bun bundles the console as it is asked for and
 * tells its pages to load again after a change; the security policy of the real one is left out,
 * since that needs more than it allows. `dev.toml` belongs to it: without, the page stays empty.
 */

const PORT = Number(process.env.ENTREPOT_DEV_PORT ?? 5173)
const TARGET = `http://${process.env.ENTREPOT_LISTEN ?? '127.0.0.1:5000'}`
const PASSED_ON = ['/api/*', '/v2/*', '/token', '/charts/*', '/healthz', '/readyz', '/metrics']

async function passOn(request: Request): Promise<Response> {
  const { pathname, search, host } = new URL(request.url)
  const headers = new Headers(request.headers)
  headers.set('host', host)
  const answer = await fetch(TARGET + pathname + search, {
    method: request.method,
    headers,
    body: request.body,
    signal: request.signal,
    redirect: 'manual',
    decompress: false,
  }).catch(() => undefined)
  return answer ?? new Response('the server is not there yet\n', { status: 503 })
}

// First, since a port that is taken must not leave a server behind.
const pages = Bun.serve({
  port: PORT,
  hostname: '127.0.0.1',
  // Longer than the pauses in a stream of events.
  idleTimeout: 60,
  development: { hmr: true, console: true },
  routes: { ...Object.fromEntries(PASSED_ON.map((path) => [path, passOn])), '/*': page },
})

const project = projectFolder() ?? process.cwd()
const server = Bun.spawn(
  [
    process.execPath,
    '--max-http-header-size=65536',
    '--watch',
    join(project, 'src/main.ts'),
    'serve',
    ...process.argv.slice(2),
  ],
  {
    env: { ...process.env, ENTREPOT_CONSOLE_ENABLED: 'false' },
    stdio: ['ignore', 'inherit', 'inherit'],
  },
)

console.log(`console, loaded again after each change: ${pages.url}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => server.kill('SIGTERM'))
}
process.exitCode = await server.exited
await pages.stop(true)
