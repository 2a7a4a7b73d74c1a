import type { LiveBatch, LiveListener, LiveWatch } from '../../hub/live/live-watch.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'

/*
 * Server-Sent Events (HTML, section 9.2): one answer that does not end, with a comment now and then
 * so that nobody in between, nor Bun's own limit on idle time, takes it for dead.
 */

const HEARTBEAT_MS = 15_000
/** A reader who is behind by more is let go; it reads again when it comes back. */
const MOST_WAITING_BYTES = 1024 * 1024
const MOST_PER_ACCOUNT = 20
const MOST_PER_PROCESS = 1_000
/** What browsers wait before they come again, milliseconds. */
const RETRY_MS = 3_000

export interface LiveEvent {
  event: string
  /** JSON: made once for all who are told. */
  data: string
}

export interface StreamAsked<Reader> {
  account: number
  reader: Reader
  /** Milliseconds after which the reader is asked again. */
  renewEveryMs: number
  /** Who reads, as he is now. @throws when he may not any more */
  renew(): Promise<Reader>
  /** What of a batch he may read. */
  eventsOf(batch: LiveBatch, reader: Reader): Promise<LiveEvent[]>
  /** He was here before, and may have missed something. */
  isBack: boolean
  signal: AbortSignal
}

export interface LiveStreams {
  /** @throws AppError rate_limited when there are too many, unavailable while shutting down */
  open<Reader>(asked: StreamAsked<Reader>): Promise<ReadableStream<Uint8Array>>
}

export function createLiveStreams(deps: { watch: LiveWatch; clock: Clock; log: Log }): LiveStreams {
  const { watch, clock, log } = deps
  const open = new Map<number, number>()
  let total = 0

  /** Takes a place. Returns what gives it back, once. */
  function enter(account: number): () => void {
    const own = open.get(account) ?? 0
    if (own >= MOST_PER_ACCOUNT || total >= MOST_PER_PROCESS) {
      throw new AppError(
        'rate_limited',
        own >= MOST_PER_ACCOUNT
          ? `you have ${own} streams of events open, which is the most; close some of them`
          : 'the server has as many streams of events open as it can; ask again later',
        { retryAfter: 30 },
      )
    }
    open.set(account, own + 1)
    total++
    let left = false
    return () => {
      if (left) return
      left = true
      total--
      const rest = (open.get(account) ?? 1) - 1
      if (rest > 0) open.set(account, rest)
      else open.delete(account)
    }
  }

  return {
    async open(asked) {
      const leave = enter(asked.account)
      const encoder = new TextEncoder()
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined
      let stopListening = () => {}
      let isOver = false
      let { reader } = asked
      let renewedAt = clock()
      let wroteAt = clock()
      let number = 0
      // One after the other, in the order of the looks, once the first line is out.
      const begun = Promise.withResolvers<void>()
      let doing: Promise<void> = begun.promise

      function end(): void {
        if (isOver) return
        isOver = true
        leave()
        stopListening()
        try {
          controller?.close()
        } catch {
          // The client closed it first.
        }
      }

      function write(text: string): void {
        if (isOver || !controller) return
        const bytes = encoder.encode(text)
        if ((controller.desiredSize ?? 0) < bytes.length) {
          end()
          return
        }
        controller.enqueue(bytes)
        wroteAt = clock()
      }

      function send({ event, data }: LiveEvent): void {
        number++
        write(`id: ${number}\nevent: ${event}\ndata: ${data}\n\n`)
      }

      function then(work: () => Promise<void>): void {
        doing = doing.then(async () => {
          if (isOver) return
          try {
            await work()
          } catch (error) {
            // Not being let in any more is no fault of anybody.
            if (!isAppError(error)) log.warn('stream of events ended', { error })
            end()
          }
        })
      }

      async function renew(): Promise<void> {
        if (clock() - renewedAt < asked.renewEveryMs) return
        renewedAt = clock()
        reader = await asked.renew()
      }

      const listener: LiveListener = {
        changed: (batch) =>
          then(async () => {
            await renew()
            for (const event of await asked.eventsOf(batch, reader)) send(event)
          }),
        missed: () => then(async () => send({ event: 'refresh', data: '{}' })),
        looked: () =>
          then(async () => {
            await renew()
            if (clock() - wroteAt >= HEARTBEAT_MS) write(': still here\n\n')
          }),
        ended: end,
      }

      const stream = new ReadableStream<Uint8Array>(
        {
          start(made) {
            controller = made
          },
          cancel: end,
        },
        new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING_BYTES }),
      )
      try {
        const stop = await watch.listen(listener)
        if (isOver) {
          stop()
          throw new AppError('unavailable', 'the server is shutting down; ask again')
        }
        stopListening = stop
      } catch (error) {
        leave()
        throw error
      }
      asked.signal.addEventListener('abort', end)
      if (asked.signal.aborted) end()
      write(`retry: ${RETRY_MS}\n`)
      send({ event: 'ready', data: '{}' })
      if (asked.isBack) send({ event: 'refresh', data: '{}' })
      begun.resolve()
      return stream
    },
  }
}
