import { join } from 'node:path'
import { createProject } from '../admin-api.ts'
import { projectRoot, type Server, startServer, waitFor } from '../server.ts'
import { addRegistry } from '../transfers-api.ts'
import { pushSamples } from './sample-content.ts'

/*
 * The server that all files with tests of the console use, as starting and filling one takes longer
 * than most of them. `bun test` runs the files in one process; the server ends with it.
 */

/** Pushed once, changed by nobody. What a test changes it makes for itself, under names of its own. */
export const SAMPLE = 'sample'

export const LOOPBACK = { ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8' }

let built: Promise<void> | undefined
let server: Promise<Server> | undefined
let samples: Promise<void> | undefined

/** Builds the console, unless that was done, so that no test waits for it. */
export function buildConsole(): Promise<void> {
  built ??= build()
  return built
}

async function build(): Promise<void> {
  const script = join(projectRoot, 'src/console/build/build.ts')
  const child = Bun.spawn([process.execPath, script], { stdio: ['ignore', 'ignore', 'pipe'] })
  const problem = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(problem)
}

/** Starts a server with a console that may ask registries on the loopback address. */
export async function startConsole(options: Parameters<typeof startServer>[0] = {}) {
  const env = { ...LOOPBACK, ENTREPOT_CONSOLE_ENABLED: 'true', ...options.env }
  const started = await startServer({ ...options, env })
  await waitFor('the console', async () => {
    const answer = await fetch(started.url, { headers: { accept: 'text/html' } })
    await answer.arrayBuffer()
    return answer.ok
  })
  return started
}

export function sharedServer(): Promise<Server> {
  server ??= begin()
  return server
}

async function begin(): Promise<Server> {
  const started = await startConsole()
  // The first one is the default, which cannot be deleted while there are others.
  await addRegistry(started, 'the-default', 'http://127.0.0.1:9')
  return started
}

/** The public project with images and a chart in the server that is shared. */
export function pushedSamples(): Promise<void> {
  samples ??= fill()
  return samples
}

async function fill(): Promise<void> {
  const filled = await sharedServer()
  await createProject(filled, SAMPLE, { public: true })
  await pushSamples(filled, { project: SAMPLE })
}
