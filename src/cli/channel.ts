import { AppError } from '../lib/errors.ts'
import { describeMachineFailure } from '../lib/machine-failure.ts'
import type { Message, Questions, Subject } from './messages.ts'

/** Asks the other side and answers its questions. */
export interface Channel {
  /**
   * @throws AppError `unavailable` when there is no answer within `timeoutMs` or the other side
   *   ends; the other side's own AppError when it failed, `internal` for any other error.
   */
  ask<S extends Subject>(
    subject: S,
    options?: { timeoutMs?: number; argument?: number },
  ): Promise<Questions[S]>
  receive(message: Message): void
  /** Nobody is there any more: fails what is open. */
  close(): void
}

export type Answers = {
  [S in Subject]?: (argument: number | undefined) => Promise<Questions[S]>
}

interface Open {
  resolve(value: unknown): void
  reject(error: AppError): void
  timer: Timer | undefined
}

export function createChannel(send: (message: Message) => void, answers: Answers): Channel {
  const open = new Map<number, Open>()
  let lastId = 0

  async function answer(id: number, subject: Subject, argument?: number): Promise<void> {
    const answerer = answers[subject]
    try {
      if (!answerer) throw new Error(`nobody answers ${subject} here`)
      send({ kind: 'answer', id, value: await answerer(argument) })
    } catch (error) {
      const plain = error instanceof Error ? error.message : String(error)
      const message = (!(error instanceof AppError) && describeMachineFailure(error)) || plain
      const code = error instanceof AppError ? { code: error.code } : {}
      send({ kind: 'failure', id, message, ...code })
    }
  }

  function take(id: number): Open | undefined {
    const entry = open.get(id)
    open.delete(id)
    clearTimeout(entry?.timer)
    return entry
  }

  return {
    ask<S extends Subject>(
      subject: S,
      { timeoutMs, argument }: { timeoutMs?: number; argument?: number } = {},
    ) {
      const id = ++lastId
      const { promise, resolve, reject } = Promise.withResolvers<Questions[S]>()
      const expire = () =>
        take(id)?.reject(new AppError('unavailable', `no answer to "${subject}" in time`))
      open.set(id, {
        // The answer to a question about S is of the type of S.
        resolve: (value) => resolve(value as Questions[S]),
        reject,
        timer: timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs),
      })
      send({ kind: 'question', id, subject, ...(argument === undefined ? {} : { argument }) })
      return promise
    },
    receive(message) {
      if (message.kind === 'question') void answer(message.id, message.subject, message.argument)
      if (message.kind === 'answer') take(message.id)?.resolve(message.value)
      if (message.kind === 'failure') {
        take(message.id)?.reject(new AppError(message.code ?? 'internal', message.message))
      }
    },
    close() {
      for (const id of [...open.keys()]) {
        take(id)?.reject(new AppError('unavailable', 'the process ended'))
      }
    },
  }
}
