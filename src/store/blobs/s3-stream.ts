import { AppError } from '../../lib/errors.ts'
import type { ByteRange } from '../../oci/range.ts'
import type { S3Bucket, S3Object } from './s3-bucket.ts'

/** Answers that break off one after the other without a byte in between. */
const MOST_FAILURES = 5
const PAUSE_MS = 200
/** Who takes nothing for so long is gone, or holds for nothing what others need. */
const LEFT_MS = 15 * 60_000

/**
 * The bytes of a range, asked for again from where an answer broke off; undefined when the object
 * does not have all of them.
 */
export async function streamRange(
  bucket: Pick<S3Bucket, 'get'>,
  name: string,
  { start, end }: ByteRange,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const open = async (from: number) => {
    const object = await bucket.get(name, { start: from, end })
    if (object?.size === end - from + 1) return object
    // So that its connection can be used again.
    await object?.body.cancel()
    return undefined
  }
  const first = await open(start)
  return first && goOn(first, open, { start, end })
}

async function* goOn(
  first: S3Object,
  open: (from: number) => Promise<S3Object | undefined>,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let object: S3Object | undefined = first
  let failures = 0
  for (let at = start; at <= end; ) {
    try {
      object ??= await open(at)
      if (!object) throw disappeared()
      for await (const chunk of chunksOf(object.body)) {
        at += chunk.length
        failures = 0
        yield chunk
      }
    } catch (error) {
      if (++failures >= MOST_FAILURES) throw brokenOff(error)
    }
    object = undefined
    if (at <= end) {
      if (++failures >= MOST_FAILURES) throw brokenOff()
      await Bun.sleep(PAUSE_MS * failures)
    }
  }
}

function disappeared(): AppError {
  return new AppError('unavailable', 'a blob disappeared while it was read')
}

function brokenOff(cause?: unknown): AppError {
  return new AppError(
    'unavailable',
    'the S3 storage broke off several times while a blob was read',
    { retryAfter: 5 },
    cause,
  )
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // After an early return of whoever reads, the rest must not keep coming.
    await reader.cancel().catch(() => {})
  }
}

/**
 * A range that is not asked for before somebody reads it, such as never, for HEAD; and then only as
 * far as it is taken.
 * @param underWay holds something for it from the first read to the end
 * @param leftMs ends it with an error when nobody reads on for so long
 */
export function readLater(
  bucket: Pick<S3Bucket, 'get'>,
  name: string,
  range: ByteRange,
  { underWay, leftMs = LEFT_MS }: { underWay: Set<object>; leftMs?: number },
): ReadableStream<Uint8Array> {
  const reading = (async function* () {
    underWay.add(range)
    try {
      const chunks = await streamRange(bucket, name, range)
      if (!chunks) throw disappeared()
      yield* chunks
    } finally {
      underWay.delete(range)
    }
  })()
  let timer: Timer | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        clearTimeout(timer)
        const { done, value } = await reading.next()
        if (done) {
          controller.close()
          return
        }
        controller.enqueue(value)
        timer = setTimeout(() => {
          controller.error(new AppError('unavailable', 'nobody read on for a long time'))
          reading.return().catch(() => {})
        }, leftMs)
        timer.unref()
      },
      async cancel() {
        clearTimeout(timer)
        await reading.return()
      },
    },
    { highWaterMark: 0 },
  )
}

/** A range in memory; undefined when the object does not have all of it. */
export async function readBytes(
  bucket: S3Bucket,
  name: string,
  range: ByteRange,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const stream = await streamRange(bucket, name, range)
  if (!stream) return undefined
  const bytes = new Uint8Array(range.end - range.start + 1)
  let length = 0
  for await (const chunk of stream) {
    bytes.set(chunk, length)
    length += chunk.length
  }
  return bytes
}
