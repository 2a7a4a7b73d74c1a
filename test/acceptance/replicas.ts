import { type Balancer, startBalancer } from './balancer.ts'
import { startEngines } from './engines.ts'
import { type Server, type ServerOptions, startProcess } from './server.ts'

/**
 * Several servers on one PostgreSQL and one bucket, each a real `entrepot serve` with a data folder
 * of its own, behind a balancer that sends each request to the next one.
 */
export type Replicas = {
  readonly members: readonly Server[]
  readonly balancer: Balancer
  /** Those that have ended are started again, on their ports and folders. */
  readonly revive: () => Promise<void>
}

export type ReplicasOptions = Pick<ServerOptions, 'env' | 'onOutput'> & {
  readonly count?: number
  /** What one of them alone has, by its place. */
  readonly envOf?: (index: number) => Readonly<Record<string, string>>
  /** As of the balancer. */
  readonly checkMs?: number
  /** Where the replicas find the bucket, when something stands before the S3 server. */
  readonly s3Endpoint?: string
}

/** What the server that tests see is made of. */
const behind = new WeakMap<Server, Replicas>()

/** The replicas behind a server of `startReplicated`. */
export const replicasOf = (server: Server): Replicas => {
  const found = behind.get(server)
  if (!found) throw new Error('this server has no replicas')
  return found
}

/** Starts them all at once, on an empty database: who prepares it is among what is tested. */
export const startReplicated = async (options: ReplicasOptions = {}): Promise<Server> => {
  const { count = 3, s3Endpoint, checkMs, onOutput } = options
  const engines = await startEngines()
  const settings = await engines.settings(s3Endpoint === undefined ? {} : { s3Endpoint })
  const admin = { username: 'admin', password: `Aa1-${crypto.randomUUID()}` }
  const env = {
    ...settings,
    ENTREPOT_WORKERS: '1',
    ENTREPOT_TRUSTED_PROXIES: '127.0.0.1',
    ...options.env,
  }
  const started = await Promise.allSettled(
    Array.from({ length: count }, (_, i) =>
      startProcess({ env: { ...env, ...options.envOf?.(i) }, admin, onOutput }),
    ),
  )
  const members = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = started.find((one) => one.status === 'rejected')
  if (failed) {
    await Promise.all(members.map((member) => member.dispose()))
    throw failed.reason
  }
  const ports = members.map(({ port }) => port)
  const balancer = await startBalancer(ports, checkMs === undefined ? {} : { checkMs })
  return asServer(members, balancer)
}

/** The next start after a crash or a stop, as `startServer({ after })`. */
export const reviveReplicated = async (server: Server, options: ServerOptions): Promise<Server> => {
  const { members, balancer } = replicasOf(server)
  const again = await Promise.all(
    members.map((member) =>
      member.isRunning()
        ? member
        : startProcess({ env: { ...member.env, ...options.env }, after: member }),
    ),
  )
  return asServer(again, balancer)
}

const asServer = (given: readonly Server[], balancer: Balancer): Server => {
  const members = [...given]
  const [first] = members
  if (!first) throw new Error('no replica')
  let turn = 0
  const next = () => members[turn++ % members.length] ?? first
  const server: Server = {
    url: balancer.url,
    host: `127.0.0.1:${balancer.port}`,
    port: balancer.port,
    dataDir: first.dataDir,
    admin: first.admin,
    pid: first.pid,
    env: first.env,
    isRunning: () => members.some((member) => member.isRunning()),
    children: async () => (await Promise.all(members.map((member) => member.children()))).flat(),
    async stop() {
      const codes = await Promise.all(members.map((member) => member.stop()))
      return codes.find((code) => code !== 0) ?? 0
    },
    // One of them: the others go on meanwhile.
    killSupervisor: () => next().killSupervisor(),
    killChild: first.killChild,
    async killAll() {
      await Promise.all(members.map((member) => member.killAll()))
    },
    log: () => members.map((member) => member.log()).join('\n'),
    async dispose() {
      await balancer.stop()
      await Promise.all(members.map((member) => member.dispose()))
    },
  }
  behind.set(server, {
    members,
    balancer,
    async revive() {
      await Promise.all(
        members.map(async (member, i) => {
          if (!member.isRunning())
            members[i] = await startProcess({ env: member.env, after: member })
        }),
      )
    },
  })
  return server
}
