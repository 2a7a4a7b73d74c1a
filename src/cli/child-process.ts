import type { Config } from '../lib/config.ts'
import { type Answers, type Channel, createChannel } from './channel.ts'
import type { Message } from './messages.ts'

export interface ChildProcess {
  readonly name: string
  readonly pid: number
  readonly channel: Channel
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  kill(): void
}

export interface ChildOptions {
  name: string
  /** Program and arguments. */
  command: string[]
  config: Config
  /** Log lines for a terminal. */
  pretty: boolean
  answers: Answers
}

/** Starts a process that runs `runChild`, and hands it its settings. */
export function spawnChild({ name, command, config, pretty, answers }: ChildOptions): ChildProcess {
  const { promise: ended, resolve } = Promise.withResolvers<{
    code: number | null
    signal: string | null
  }>()
  const child = Bun.spawn(command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (message: Message) => channel.receive(message),
    onExit(_, code, signal) {
      channel.close()
      resolve({ code, signal: signal === null ? null : String(signal) })
    },
  })
  const send = (message: Message) => {
    try {
      child.send(message)
    } catch {
      // It ended just now; `close` fails what waits for an answer.
    }
  }
  const channel = createChannel(send, answers)
  send({ kind: 'settings', name, config, pretty })
  return { name, pid: child.pid, channel, ended, kill: () => child.kill('SIGKILL') }
}
