import { appendFileSync, mkdtempSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { endWithThisProcess } from './end-with-this-process.ts'

/** The folder that holds package.json, node_modules and .tools. */
export const projectRoot = resolve(import.meta.dir, '../..')

const bun = join(projectRoot, 'node_modules/.bin/bun')
const mainFile = join(projectRoot, 'src/main.ts')

export type Credentials = { readonly username: string; readonly password: string }

export type ServerOptions = {
  /** Extra `ENTREPOT_…` settings. */
  readonly env?: Readonly<Record<string, string>>
  /** A folder of the test's own, instead of a new one; that which it lies in is removed at the end. */
  readonly dataDir?: string
  /** Starts on the data folder (and port and password) of a server that has stopped. */
  readonly after?: Server
  /** Serves HTTPS with a certificate that the server makes for itself. */
  readonly tls?: boolean
  /** The administrator of an installation that others start too. */
  readonly admin?: Credentials
  /** Leaves the first administrator's password to the server, which prints it. */
  readonly printsPassword?: true
  /** Told what the server prints, as it comes; those started after it tell it too. */
  readonly onOutput?: ((text: string) => void) | undefined
}

export type Server = {
  /** `http://127.0.0.1:<port>` (or https), no slash at the end. */
  readonly url: string
  /** `127.0.0.1:<port>`: how clients name the registry. */
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly admin: Credentials
  /** Process id of the supervisor; 0 when a server given by ENTREPOT_TEST_URL is used. */
  readonly pid: number
  /** The settings that its tests gave it, which other verbs need too. */
  readonly env: Readonly<Record<string, string>>
  readonly onOutput?: ServerOptions['onOutput']
  /** False once it was stopped or killed. */
  readonly isRunning: () => boolean
  /** Process ids of the supervisor's living children, read from /proc. */
  readonly children: () => Promise<readonly number[]>
  /** SIGTERM, then waits; resolves to the exit code. Throws when it takes over 30 s. */
  readonly stop: () => Promise<number>
  /** SIGKILL to the supervisor alone; resolves once it and every child are gone. */
  readonly killSupervisor: () => Promise<void>
  /** SIGKILL to one child. */
  readonly killChild: (pid: number) => void
  /** SIGKILL to the supervisor and all its children at once. */
  readonly killAll: () => Promise<void>
  /** What the server printed, newest last, at most the last 200 lines. */
  readonly log: () => string
  /** Stops what still runs and removes the data folder. */
  readonly dispose: () => Promise<void>
}

/** A port of the loopback address that was free a moment ago. */
export const freePort = (): number => {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}

/** SIGKILL; nothing when the process is gone already. */
const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** State and parent of a process from /proc (Linux); undefined when there is none. */
const processOf = async (pid: number): Promise<{ state: string; parent: number } | undefined> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The command name may hold spaces and brackets, so fields count from the last bracket.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state && parent ? { state, parent: Number(parent) } : undefined
}

/** A process that ended but was not yet waited for by its parent does not count as alive. */
const isAlive = async (pid: number): Promise<boolean> => {
  const found = await processOf(pid)
  return found !== undefined && found.state !== 'Z'
}

/** Waits until the check holds; throws with what was waited for when it does not within the limit. */
export const waitFor = async (
  what: string,
  check: () => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<void> => {
  const deadline = Date.now() + limitMs
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`gave up after ${limitMs} ms waiting for ${what}`)
    await Bun.sleep(50)
  }
}

/** Living children of a process by its id. */
const childrenOf = async (parent: number): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(pids.map(async (pid) => ({ pid, about: await processOf(pid) })))
  return found
    .filter(({ about }) => about?.parent === parent && about.state !== 'Z')
    .map(({ pid }) => pid)
}

/**
 * A server that somebody else runs, for developing the client tests: `ENTREPOT_TEST_URL`, with
 * `ENTREPOT_TEST_PASSWORD` for its `admin`. Stopping and killing do nothing.
 */
const givenServer = (url: string): Server => {
  const { host, port } = new URL(url)
  const nothing = async () => {}
  return {
    url,
    host,
    port: Number(port),
    dataDir: '',
    admin: { username: 'admin', password: process.env.ENTREPOT_TEST_PASSWORD ?? '' },
    pid: 0,
    env: {},
    isRunning: () => true,
    children: async () => [],
    stop: async () => 0,
    killSupervisor: nothing,
    killChild: () => {},
    killAll: nothing,
    log: () => '',
    dispose: nothing,
  }
}

/** `ENTREPOT_WITH_STORAGE_DRIVER=s3` runs any of the tests against a server with that setting. */
const WITH = 'ENTREPOT_WITH_'
const wanted = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    name.startsWith(WITH) ? [[`ENTREPOT_${name.slice(WITH.length)}`, value]] : [],
  ),
)

let startedFolder: string | undefined

/**
 * Servers do not outlive a test that was killed. A process id may be somebody else's by then; the
 * folder that it works in is nobody else's.
 */
const endLater = (pid: number, folder: string): void => {
  if (!startedFolder) {
    startedFolder = mkdtempSync(join(tmpdir(), 'entrepot-started-'))
    const end =
      'while read -r pid folder; do if [ "$(readlink "/proc/$pid/cwd")" = "$folder" ]; then ' +
      'kill -KILL "$pid"; sleep 0.5; rm -rf "$folder"; fi; done < "$1/servers"; rm -rf "$1"'
    endWithThisProcess(end, startedFolder)
  }
  appendFileSync(join(startedFolder, 'servers'), `${pid} ${folder}\n`)
}

/** `ENTREPOT_TEST_REPLICAS=3` runs any of the tests against so many servers behind a balancer. */
const replicas = () => Number(process.env.ENTREPOT_TEST_REPLICAS ?? 0)

/**
 * Starts the real program as a child process on a free port and an empty data folder, and resolves
 * once `/readyz` answers 200. Throws with the program's output when it ends or is not ready in 180 s.
 */
export const startServer = async (options: ServerOptions = {}): Promise<Server> => {
  const given = process.env.ENTREPOT_TEST_URL
  if (given) return givenServer(given)
  // The balancer speaks plain HTTP.
  if (replicas() === 0 || options.tls) return startProcess(options)
  const { reviveReplicated, startReplicated } = await import('./replicas.ts')
  return options.after
    ? reviveReplicated(options.after, options)
    : startReplicated({ ...options, count: replicas() })
}

/** As `startServer`, always one server, whatever the environment says. */
export const startProcess = async (options: ServerOptions = {}): Promise<Server> => {
  const { after } = options
  const port = after?.port ?? freePort()
  const host = `127.0.0.1:${port}`
  const url = `${options.tls ? 'https' : 'http'}://${host}`
  // A folder inside the temporary one: making it, for its owner only, is up to the server.
  const dataDir =
    after?.dataDir ??
    options.dataDir ??
    join(await mkdtemp(join(tmpdir(), 'entrepot-acceptance-')), 'data')
  const admin = after?.admin ??
    options.admin ?? { username: 'admin', password: `Aa1-${crypto.randomUUID()}` }

  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_')),
  )
  const child = Bun.spawn([bun, '--max-http-header-size=65536', mainFile, 'serve'], {
    // Not the project's folder: a `.env` or a `./data` there must not reach the server under test.
    cwd: dirname(dataDir),
    env: {
      ...inherited,
      ...wanted,
      ENTREPOT_LISTEN: host,
      ENTREPOT_DATA: dataDir,
      ...(options.printsPassword ? {} : { ENTREPOT_ADMIN_PASSWORD: admin.password }),
      // Its first start builds it; only the tests of the console want that.
      ENTREPOT_CONSOLE_ENABLED: 'false',
      ...(options.tls ? { ENTREPOT_LISTEN_TLS_SELF_SIGNED: 'true' } : {}),
      ...options.env,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })

  endLater(child.pid, dirname(dataDir))
  const onOutput = options.onOutput ?? after?.onOutput
  const lines: string[] = []
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const bytes of stream) {
      const text = decoder.decode(bytes, { stream: true })
      onOutput?.(text)
      lines.push(...text.split('\n'))
      lines.splice(0, lines.length - 200)
    }
  }
  void collect(child.stdout)
  void collect(child.stderr)

  const family = async () => [child.pid, ...(await childrenOf(child.pid))]
  const allGone = async (pids: readonly number[]) => {
    await child.exited
    await waitFor(`processes ${pids.join(', ')} to end`, async () => {
      const alive = await Promise.all(pids.map(isAlive))
      return !alive.includes(true)
    })
  }

  const server: Server = {
    url,
    host,
    port,
    dataDir,
    admin,
    pid: child.pid,
    env: options.env ?? {},
    onOutput,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    children: () => childrenOf(child.pid),
    stop: async () => {
      const pids = await family()
      child.kill('SIGTERM')
      await waitFor('the server to stop', () => !server.isRunning())
      await allGone(pids)
      return child.exitCode ?? -1
    },
    killSupervisor: async () => {
      const pids = await family()
      child.kill('SIGKILL')
      await allGone(pids)
    },
    killChild: kill,
    killAll: async () => {
      const pids = await family()
      for (const pid of pids) kill(pid)
      await allGone(pids)
    },
    log: () => lines.join('\n'),
    dispose: async () => {
      if (server.isRunning()) await server.killAll()
      await rm(dirname(dataDir), { recursive: true, force: true })
    },
  }

  const isReady = async () => {
    if (child.exitCode !== null) {
      throw new Error(`the server ended with ${child.exitCode}:\n${server.log()}`)
    }
    const answer = await fetch(`${url}/readyz`, { tls: { rejectUnauthorized: false } }).catch(
      () => undefined,
    )
    await answer?.arrayBuffer()
    return answer?.status === 200
  }
  await waitFor('/readyz to answer 200', isReady, 180_000).catch(async (error: unknown) => {
    const log = server.log()
    if (server.isRunning()) await server.killAll()
    if (!after) await rm(dirname(dataDir), { recursive: true, force: true })
    throw new Error(`the server did not become ready:\n${log}`, { cause: error })
  })
  if (!options.printsPassword) return server
  const printed = () => /with the password (\S+)/.exec(server.log())?.[1] ?? ''
  await waitFor('the password to be printed', () => printed() !== '')
  return { ...server, admin: { ...admin, password: printed() } }
}

/**
 * Runs another verb of the program, such as `verify`, on a server's data folder.
 * Resolves to its exit code and all it printed.
 */
export const runVerb = async (
  server: Server,
  verb: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<{ exitCode: number; output: string }> => {
  const child = Bun.spawn([bun, '--max-http-header-size=65536', mainFile, verb, ...args], {
    cwd: server.dataDir,
    env: { ...process.env, ...wanted, ENTREPOT_DATA: server.dataDir, ...server.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 120_000,
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { exitCode: await child.exited, output: out + err }
}
