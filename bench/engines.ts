import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startEngines } from '../test/acceptance/engines.ts'
import { type Contestant, entrepot, localPeer, type Server } from './servers.ts'

/*
 * The ways to run Entrepot when one machine is not enough, and the peers on the same S3 server. The
 * engines are started with the first contestant that needs one, and end with the bench.
 */

const replicas = 3

/** @param peers programs of `docker-registry` and `distribution`, by these names */
export function engineContestants(peers: ReadonlyMap<string, string>): Contestant[] {
  const onS3 = [...peers].map(([name, program]) => s3Peer(name, program))
  return [
    entrepot({
      name: 'one-process',
      about: 'Entrepot with one worker',
      settings: { ENTREPOT_WORKERS: '1' },
    }),
    variant('postgres', 'Entrepot on PostgreSQL and files', ['DATABASE', 'SEALING']),
    variant('s3', 'Entrepot on SQLite and S3, no redirects', ['STORAGE']),
    variant('postgres-s3', 'Entrepot on PostgreSQL and S3', ['DATABASE', 'SEALING', 'STORAGE']),
    replicated(),
    ...onS3,
  ]
}

/** @param parts which of the engines' settings it gets */
function variant(name: string, about: string, parts: readonly string[]): Contestant {
  return {
    name,
    about,
    verify: true,
    async start(dir) {
      const settings = Object.entries(await engineSettings())
      const chosen = settings.filter(([key]) =>
        parts.some((part) => key.startsWith(`ENTREPOT_${part}`)),
      )
      return entrepot({ name, about, settings: Object.fromEntries(chosen) }).start(dir)
    },
  }
}

/** The generator spreads its connections over the replicas, so that no proxy is measured. */
function replicated(): Contestant {
  return {
    name: 'replicas',
    about: `${replicas} replicas of one worker each on one PostgreSQL and one S3`,
    verify: true,
    async start(dir) {
      const settings = { ...(await engineSettings()), ENTREPOT_WORKERS: '1' }
      mkdirSync(dir, { recursive: true })
      const started: Server[] = []
      const stop = async () => {
        await Promise.all(started.map((server) => server.stop()))
      }
      try {
        for (let i = 0; i < replicas; i++) {
          started.push(await entrepot({ settings }).start(join(dir, String(i))))
        }
      } catch (error) {
        await stop()
        throw error
      }
      const [first, ...others] = started
      if (first === undefined) throw new Error('no replica was started')
      return {
        endpoint: { ...first.endpoint, replicas: others.map(({ endpoint }) => endpoint.port) },
        pids: started.flatMap(({ pids }) => pids ?? []),
        database: null,
        stop,
      }
    },
  }
}

function s3Peer(name: string, program: string): Contestant {
  const peer = (storage: Record<string, unknown>) => localPeer(name, program, false, storage)
  return {
    ...peer({}),
    async start(dir) {
      const settings = await engineSettings()
      const of = (key: string) => settings[`ENTREPOT_STORAGE_S3_${key}`]
      const s3 = {
        regionendpoint: of('ENDPOINT'),
        region: of('REGION'),
        bucket: of('BUCKET'),
        rootdirectory: `/${of('PREFIX')}`,
        accesskey: of('ACCESS_KEY_ID'),
        secretkey: of('SECRET_ACCESS_KEY'),
        forcepathstyle: true,
        secure: false,
      }
      return peer({ s3, redirect: { disable: true } }).start(dir)
    },
  }
}

/** An empty database and an empty place in the bucket; all send the bytes themselves. */
async function engineSettings(): Promise<Record<string, string>> {
  const engines = await startEngines()
  return { ...(await engines.settings()), ENTREPOT_STORAGE_S3_REDIRECT: 'never' }
}
