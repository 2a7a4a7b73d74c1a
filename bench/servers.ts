import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildProgram, PROGRAM } from '../build/program.ts'
import type { Endpoint } from './http.ts'
import { processTree } from './processes.ts'

/** A server that runs. */
export type Server = {
  endpoint: Endpoint
  /** Of each replica; null for one that somebody else started. */
  pids: readonly number[] | null
  /** The SQLite file into which rows can be written; null for all but ourselves. */
  database: string | null
  stop(): Promise<void>
}

/** Something that can be measured: ourselves, a peer, the canned responder. */
export type Contestant = {
  name: string
  /** What is told about it in the report: program, storage, authentication. */
  about: string
  /** False for one whose blobs are not real, so that nothing is compared with its digest. */
  verify: boolean
  /** Starts with an empty data folder below `dir`. */
  start(dir: string): Promise<Server>
}

type Launch = {
  command: string[]
  env?: Record<string, string>
  ready: string
  database?: string
}
type Place = {
  dir: string
  port: number
  auth: boolean
  storage?: Record<string, unknown> | undefined
}

const user = 'admin'
const password = 'Bench-password-of-1-run'
const root = join(import.meta.dir, '..')

export type EntrepotOptions = {
  name?: string
  about?: string
  /** Further `ENTREPOT_…` variables. */
  settings?: Record<string, string>
}

/** Ourselves as `npm start` runs it: authentication, fsync, logs and workers by default. */
export function entrepot({
  name = 'entrepot',
  about = 'default settings: tokens, fsync, workers',
  settings = {},
}: EntrepotOptions = {}): Contestant {
  return {
    name,
    about,
    verify: true,
    start: async (dir) => {
      await buildProgram()
      return launch({ dir, auth: true }, ({ port }) => ({
        command: [
          join(root, 'node_modules/.bin/bun'),
          '--max-http-header-size=65536',
          PROGRAM,
          'serve',
        ],
        env: {
          ENTREPOT_LISTEN: `127.0.0.1:${port}`,
          ENTREPOT_DATA: join(dir, 'data'),
          ENTREPOT_ADMIN_PASSWORD: password,
          ...settings,
        },
        ready: '/readyz',
        ...('ENTREPOT_DATABASE_URL' in settings
          ? {}
          : { database: join(dir, 'data', 'entrepot.db') }),
      }))
    },
  }
}

/** The responder of canned answers, whose figures are the ceiling of the generator. */
export function ceiling(): Contestant {
  return {
    name: 'ceiling',
    about: 'canned answers without disk, hash or checks: the limit of the generator',
    verify: false,
    async start() {
      const child = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts'), '--responder'], {
        stdout: 'pipe',
        stderr: 'inherit',
      })
      const reader = child.stdout.getReader()
      const { value } = await reader.read()
      const port = Number(new TextDecoder().decode(value))
      if (!(port > 0)) throw new Error('the responder did not tell its port')
      const endpoint = { host: '127.0.0.1', port, user: null, password: null }
      return { endpoint, pids: [child.pid], database: null, stop: () => stopTree(child) }
    },
  }
}

const launches: Record<string, (program: string, place: Place) => Launch | Promise<Launch>> = {
  'docker-registry': distributionLaunch,
  distribution: distributionLaunch,
  zot: (program, place) => zotLaunch(program, place, true),
  'zot-default': (program, place) => zotLaunch(program, place, false),
}

/** Peers that the bench knows how to start. */
export const knownPeers = Object.keys(launches)

/** @param storage of `distribution` and `docker-registry`, in the form of their settings */
export function localPeer(
  name: string,
  program: string,
  auth: boolean,
  storage?: Record<string, unknown>,
): Contestant {
  const make = launches[name]
  if (make === undefined) {
    throw new Error(`no idea how to start "${name}"; known are ${knownPeers.join(', ')}`)
  }
  return {
    name: storage ? `${name}-s3` : name,
    about: `${storage ? 'S3' : 'file system'} storage, delete enabled, ${auth ? 'htpasswd' : 'no authentication'}`,
    verify: true,
    start: (dir) => launch({ dir, auth, storage }, (place) => make(program, place)),
  }
}

/**
 * A registry that runs already; its content stays. `#PID` at the end of the address names its
 * process on this machine; without it nothing is known of its CPU time and memory.
 */
export function remotePeer(name: string, address: string): Contestant {
  const url = new URL(address)
  const endpoint = {
    host: url.hostname,
    port: Number(url.port === '' ? 80 : url.port),
    user: url.username === '' ? null : decodeURIComponent(url.username),
    password: url.password === '' ? null : decodeURIComponent(url.password),
  }
  const pids = url.hash === '' ? null : [Number(url.hash.slice(1))]
  return {
    name,
    about: `already running at ${url.host}`,
    verify: true,
    start: async () => ({ endpoint, pids, database: null, stop: async () => undefined }),
  }
}

async function distributionLaunch(program: string, place: Place): Promise<Launch> {
  const { dir, port, auth } = place
  const storage = place.storage ?? { filesystem: { rootdirectory: join(dir, 'data') } }
  const config = {
    version: '0.1',
    storage: { ...storage, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(auth ? { auth: { htpasswd: { realm: 'bench', path: await writeHtpasswd(dir) } } } : {}),
  }
  const path = join(dir, 'config.yml')
  writeFileSync(path, JSON.stringify(config))
  // Version 3 would look for a collector of traces on this machine.
  const env = { OTEL_TRACES_EXPORTER: 'none' }
  return { command: [program, 'serve', path], env, ready: '/' }
}

async function zotLaunch(
  program: string,
  { dir, port, auth }: Place,
  commit: boolean,
): Promise<Launch> {
  const config = {
    distSpecVersion: '1.1.1',
    storage: { rootDirectory: join(dir, 'data'), commit },
    http: {
      address: '127.0.0.1',
      port: String(port),
      ...(auth ? { auth: { htpasswd: { path: await writeHtpasswd(dir) } } } : {}),
    },
  }
  const path = join(dir, 'config.json')
  writeFileSync(path, JSON.stringify(config))
  return { command: [program, 'serve', path], ready: '/v2/' }
}

async function writeHtpasswd(dir: string): Promise<string> {
  const path = join(dir, 'htpasswd')
  const hash = await Bun.password.hash(password, { algorithm: 'bcrypt', cost: 5 })
  writeFileSync(path, `${user}:${hash}\n`)
  return path
}

async function launch(
  { dir, auth, storage }: Omit<Place, 'port'>,
  make: (place: Place) => Launch | Promise<Launch>,
): Promise<Server> {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const port = freePort()
  const { command, env, ready, database = null } = await make({ dir, port, auth, storage })
  const log = Bun.file(join(dir, 'server.log'))
  const child = Bun.spawn(command, {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOME: dir, ...env },
    stdin: 'ignore',
    stdout: log,
    stderr: log,
  })
  const endpoint = {
    host: '127.0.0.1',
    port,
    user: auth ? user : null,
    password: auth ? password : null,
  }
  const stop = async () => {
    await stopTree(child)
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await becomeReady(child, `http://127.0.0.1:${port}${ready}`)
  } catch (error) {
    const said = (await log.text()).slice(-2000)
    await stop()
    throw new Error(`${command.join(' ')}: ${String(error)}\n${said}`)
  }
  return { endpoint, pids: [child.pid], database, stop }
}

async function becomeReady(child: Bun.Subprocess, url: string): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`)
    // 401 is a sign of life too: zot asks for credentials everywhere.
    const status = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200 || status === 401) return
    await Bun.sleep(50)
  }
  throw new Error('not ready after 30 seconds')
}

async function stopTree(child: Bun.Subprocess): Promise<void> {
  const tree = processTree(child.pid)
  child.kill('SIGTERM')
  const ended = await Promise.race([child.exited.then(() => true), Bun.sleep(10_000)])
  if (ended !== true) {
    for (const pid of tree) killIfAlive(pid)
    await child.exited
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = probe
  probe.stop(true)
  return port
}
