import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Accounts, createAccounts } from '../accounts/accounts.ts'
import type { Clock } from '../lib/clock.ts'
import { systemClock } from '../lib/clock.ts'
import { createSealer, loadSealingKey } from '../lib/secrets.ts'
import { createProjects } from '../registry/projects.ts'
import { createRegistry, type LocalRegistry } from '../registry/registry.ts'
import { openFileStore } from '../store/blobs/file-store.ts'
import type { Db } from '../store/db/database.ts'
import { openDatabase } from '../store/db/open.ts'
import { openWire, type Wire } from './test-wire.ts'

/*
 * The real program with its supervisor and workers, and beside it the services on the same
 * database, as one more process of the installation has them: what they change must be seen by
 * the workers within the promised time.
 */

export const PASSWORD = 'Correct-horse-1'

export interface TestServer {
  port: number
  host: string
  data: string
  db: Db
  accounts: Accounts
  registry: LocalRegistry
  /** `Authorization` of the first administrator. */
  admin: string
  /** How many processes serve. */
  workers: number
  /** A new connection; closed with the server. */
  connect(): Wire
  /** The lines of the program's log so far, also those of before a restart. */
  logged(): readonly Record<string, unknown>[]
  /** Which worker answered, by the `x-request-id` of the answer. */
  workerOf(requestId: string | undefined): Promise<string>
  /** One connection to each worker. */
  connectToEach(): Promise<Wire[]>
  /** SIGTERM; resolves when the program has ended. Connections stay as they are. */
  shutDown(): Promise<void>
  /** Stops the program and starts it again on the same data. */
  restart(): Promise<void>
  /** Accounts with another clock, which can issue tokens of another time. */
  accountsAt(clock: Clock): Promise<Accounts>
  stop(): Promise<void>
}

export function basic(name: string, secret: string = PASSWORD): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
}

/**
 * @param settings further `ENTREPOT_…` variables; a server that `ENTREPOT_TEST_SERVER` gives has
 *   them already
 */
export async function startTestServer(settings: Record<string, string> = {}): Promise<TestServer> {
  const given = process.env.ENTREPOT_TEST_SERVER
  if (given) return joinGivenServer(JSON.parse(given))
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-http-'))
  const data = join(folder, 'data')
  const wires: Wire[] = []
  const before: Program['log'] = []
  let program = await startProgram(folder, { ...settings, ENTREPOT_LISTEN: '127.0.0.1:0' })
  const { port } = program

  const services = await openServices({ url: settings.ENTREPOT_DATABASE_URL, data })

  function connect(): Wire {
    const wire = openWire(port)
    wires.push(wire)
    return wire
  }

  async function workerOf(requestId: string | undefined): Promise<string> {
    const deadline = Date.now() + 5_000
    while (Date.now() < deadline) {
      const line = program.log.find((entry) => entry.id === requestId)
      if (line) return String(line.process)
      await Bun.sleep(10)
    }
    throw new Error(`no line of the log has the request ${requestId}`)
  }

  return {
    port,
    host: `127.0.0.1:${port}`,
    data,
    ...services,
    admin: basic('admin'),
    workers: Number(settings.ENTREPOT_WORKERS ?? 1),
    connect,
    logged: () => [...before, ...program.log],
    workerOf,
    async connectToEach() {
      const found = new Map<string, Wire>()
      // The kernel chooses by the client's port.
      for (let i = 0; i < 200 && found.size < 2; i++) {
        const wire = connect()
        const answer = await wire.request('GET', '/v2/')
        const worker = await workerOf(answer.header('x-request-id'))
        if (found.has(worker)) wire.close()
        else found.set(worker, wire)
      }
      return [...found.values()]
    },
    shutDown: () => program.stop(),
    async restart() {
      await program.stop()
      before.push(...program.log)
      program = await startProgram(folder, { ...settings, ENTREPOT_LISTEN: `127.0.0.1:${port}` })
    },
    async stop() {
      for (const wire of wires) wire.close()
      await program.stop()
      await services.db.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface GivenServer {
  port: number
  /** Ports of the replicas, where `port` is the one of a balancer before them. */
  replicas: number[]
  databaseUrl: string
  sealingKey: string
}

/** One that somebody else runs, with the settings and the administrator that tests expect. */
async function joinGivenServer(given: GivenServer): Promise<TestServer> {
  const { port, replicas, databaseUrl: url, sealingKey } = given
  const wires: Wire[] = []
  const data = mkdtempSync(join(tmpdir(), 'entrepot-http-'))
  const services = await openServices({ url, data, sealingKey })
  const connectTo = (to: number) => {
    const wire = openWire(to)
    wires.push(wire)
    return wire
  }
  const notOurs = () => {
    throw new Error('this is not to be had of a server that somebody else runs')
  }
  return {
    port,
    host: `127.0.0.1:${port}`,
    data,
    ...services,
    admin: basic('admin'),
    workers: replicas.length,
    connect: () => connectTo(port),
    connectToEach: async () => replicas.map(connectTo),
    logged: notOurs,
    workerOf: notOurs,
    shutDown: notOurs,
    restart: notOurs,
    async stop() {
      for (const wire of wires) wire.close()
      await services.db.close()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

interface Installation {
  url: string | undefined
  data: string
  /** In the data folder unless given. */
  sealingKey?: string
}

/** What one more process of the installation would have. */
async function openServices({ url, data, sealingKey }: Installation) {
  const db = await openDatabase({ url, dataFolder: data })
  const key = { ...(sealingKey === undefined ? {} : { value: sealingKey }), dataFolder: data }
  const accountsAt = async (clock: Clock) =>
    createAccounts({
      db,
      clock,
      sealer: createSealer(await loadSealingKey(key)),
      settings: {
        authorize: { anonymousWrite: false, projectCreators: 'all' },
        service: 'entrepot',
      },
    })
  const accounts = await accountsAt(systemClock)
  const registry = createRegistry({
    db,
    store: await openFileStore(join(data, 'blobs')),
    clock: systemClock,
    authorizer: accounts.authorizer,
    projects: createProjects({ db, clock: systemClock }),
    settings: { sparse: false },
    writer: 'test',
  })
  return { db, accounts, registry, accountsAt }
}

interface Program {
  port: number
  log: Record<string, unknown>[]
  stop(): Promise<void>
}

async function startProgram(folder: string, settings: Record<string, string>): Promise<Program> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_'))
  const main = join(import.meta.dir, '../main.ts')
  const child = Bun.spawn([process.execPath, '--max-http-header-size=65536', main, 'serve'], {
    cwd: folder,
    env: {
      ...Object.fromEntries(inherited),
      ENTREPOT_DATA: join(folder, 'data'),
      ENTREPOT_ADMIN_PASSWORD: PASSWORD,
      ENTREPOT_WORKERS: '1',
      // Building it would take from each test what only those of the console need.
      ENTREPOT_CONSOLE_ENABLED: 'false',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: Program['log'] = []
  const printed = new Response(child.stderr).text()
  const port = await new Promise<number>((resolve, reject) => {
    void readLines(child.stdout, (line) => {
      const entry = JSON.parse(line)
      log.push(entry)
      if (entry.msg === 'listening') resolve(Number(new URL(entry.url).port))
    }).then(async () => reject(new Error(`ended before it listened:\n${await printed}`)))
  })
  return {
    port,
    log,
    async stop() {
      child.kill('SIGTERM')
      await child.exited
    },
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true })
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('{')) take(line)
  }
}
