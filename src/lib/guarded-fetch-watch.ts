import { remoteFailure } from './guarded-fetch-errors.ts'

/** Ends a request that nothing comes of. */
export interface Watch {
  signal: AbortSignal
  /** Something must happen within `ms`, counted anew with each call. */
  expect(ms: number): void
  /** Nothing need happen until the next `expect`. */
  rest(): void
  close(): void
  /** Why the request was ended, if it was. */
  reason(): unknown
}

export function createWatch(host: string, totalMs: number, outer?: AbortSignal): Watch {
  const controller = new AbortController()
  const end = (reason: unknown) => controller.abort(reason)
  const onOuter = () => end(outer?.reason)
  let timer: ReturnType<typeof setTimeout> | undefined
  const total = Number.isFinite(totalMs)
    ? setTimeout(() => end(timeout(host, totalMs)), totalMs)
    : undefined

  if (outer?.aborted) onOuter()
  else outer?.addEventListener('abort', onOuter, { once: true })

  return {
    signal: controller.signal,
    expect(ms) {
      clearTimeout(timer)
      timer = setTimeout(() => end(timeout(host, ms)), ms)
    },
    rest() {
      clearTimeout(timer)
    },
    close() {
      clearTimeout(timer)
      clearTimeout(total)
      outer?.removeEventListener('abort', onOuter)
    },
    reason: () => controller.signal.reason,
  }
}

/** A stream that takes one piece at a time, when it is asked for it. */
export function watchedStream({
  read,
  cancel,
}: {
  read(): Promise<Uint8Array | undefined>
  cancel(reason: unknown): Promise<void>
}): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await read()
        if (piece === undefined) controller.close()
        else controller.enqueue(piece)
      },
      cancel,
    },
    { highWaterMark: 0 },
  )
}

function timeout(host: string, ms: number): Error {
  return remoteFailure(
    'timeout',
    `${host} did not answer within ${Math.max(1, Math.round(ms / 1000))} s`,
  )
}
