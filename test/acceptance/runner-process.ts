import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectRoot, waitFor } from './server.ts'

/** `entrepot runner` as a child process, whose folder outlives it. */
export interface RunnerProcess {
  readonly folder: string
  readonly pid: () => number
  /** All that it has printed, also before it was killed. */
  readonly log: () => string
  start(): void
  /** SIGTERM; the exit code. */
  stop(): Promise<number>
  /** SIGKILL. */
  kill(): Promise<void>
  dispose(): Promise<void>
}

export interface RunnerOptions {
  readonly hub: string
  readonly token: string
  readonly args?: readonly string[]
  /** Put before the command, as `ip netns exec …`. */
  readonly prefix?: readonly string[]
}

const bun = join(projectRoot, 'node_modules/.bin/bun')
const mainFile = join(projectRoot, 'src/main.ts')

export const startRunner = async (options: RunnerOptions): Promise<RunnerProcess> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-runner-'))
  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, `${options.token}\n`, { mode: 0o600 })
  const { prefix = [], args = [] } = options
  const command = [
    ...[...prefix, bun, mainFile, 'runner', '--hub', options.hub, '--token-file', tokenFile],
    ...['--data', join(folder, 'data'), ...args],
  ]
  let text = ''
  let child: ReturnType<typeof spawn> | undefined

  const spawn = () =>
    Bun.spawn(command, { cwd: folder, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const bytes of stream) text += decoder.decode(bytes, { stream: true })
  }
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    const ending = child
    ending?.kill(signal)
    await waitFor(
      'the runner to end',
      () => ending?.exitCode !== null || ending.signalCode !== null,
    )
    return ending?.exitCode ?? -1
  }

  const runner: RunnerProcess = {
    folder,
    pid: () => child?.pid ?? 0,
    log: () => text,
    start() {
      const started = spawn()
      child = started
      void collect(started.stdout)
      void collect(started.stderr)
    },
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL')
    },
    async dispose() {
      if (child && child.exitCode === null && child.signalCode === null) await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
  runner.start()
  return runner
}
