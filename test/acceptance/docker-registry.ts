import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, waitFor } from './server.ts'

/** Debian's package `docker-registry` (CNCF distribution 2.8); undefined where it is not installed. */
export const dockerRegistry = Bun.which('docker-registry') ?? undefined

export type DockerRegistry = {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly stop: () => Promise<void>
}

/** Starts it without authentication on a free port and an empty folder. */
export const startDockerRegistry = async (): Promise<DockerRegistry> => {
  if (!dockerRegistry) throw new Error('docker-registry is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-docker-registry-'))
  const addr = `127.0.0.1:${freePort()}`
  const file = join(folder, 'config.yml')
  const config = {
    version: '0.1',
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr },
  }
  await writeFile(file, JSON.stringify(config))
  const child = Bun.spawn([dockerRegistry, 'serve', file], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await child.exited
    await rm(folder, { recursive: true, force: true })
  }
  const answers = () =>
    fetch(`http://${addr}/v2/`).then(
      ({ status }) => status === 200,
      () => false,
    )
  await waitFor('docker-registry to answer', answers).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { url: `http://${addr}`, stop }
}
