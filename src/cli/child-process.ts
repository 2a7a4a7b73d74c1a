import type { Config } from '../lib/config.ts'
import { type Answers, type Channel, createChannel } from './channel.ts'
import type { Found, Message } from './messages.ts'

export interface ChildProcess {
  readonly name: string
  readonly pid: number
  readonly channel: Channel
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  /** Resolves when it has read the command line, if that is what it is for. */
  readonly found: Promise<Found>
  /** Hands it its settings, before any question; `pretty`: its log is for a terminal. */
  settle(config: Config, pretty: boolean): void
  kill(): void
}

export interface ChildOptions {
  name: string
  /** Program and arguments. */
  command: string[]
  answers: Answers
}

/** Starts a process that runs `runChild`. */
export function spawnChild({ name, command, answers }: ChildOptions): ChildProcess {
  const ending = Promise.withResolvers<{ code: number | null; signal: string | null }>()
  const finding = Promise.withResolvers<Found>()
  const child = Bun.spawn(command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc(message: Message) {
      if (message.kind === 'found') finding.resolve(message)
      else channel.receive(message)
    },
    onExit(_, code, signal) {
      channel.close()
      ending.resolve({ code, signal: signal === null ? null : String(signal) })
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
  return {
    name,
    pid: child.pid,
    channel,
    ended: ending.promise,
    found: finding.promise,
    settle: (config, pretty) => send({ kind: 'settings', name, config, pretty }),
    kill: () => child.kill('SIGKILL'),
  }
}
