import { AppError } from '../../lib/errors.ts'
import type { BlobAppender } from './blob-store.ts'
import type { S3Bucket, S3Upload } from './s3-bucket.ts'
import type { PartBuffer, PartBuffers } from './s3-part-buffers.ts'
import { FIRST_BUFFER_BYTES, MIN_PART_BYTES, ONE_PUT_BYTES, partSize } from './s3-part-sizes.ts'
import {
  MAX_PARTS,
  positionOf,
  type S3Part,
  type S3State,
  type S3Tail,
  tailNumber,
} from './s3-state.ts'

/** Bytes of one upload that may be on their way while the next part is filled … */
const IN_FLIGHT_BYTES = 32 * 1024 * 1024
/** … unless all uploads of the process hold so many: then each sends one part at a time. */
const PROCESS_BYTES = 256 * 1024 * 1024

export interface AppenderDeps {
  bucket: S3Bucket
  buffers: PartBuffers
}

/** Where an appender goes on: the bytes that the server has in parts, and those after them. */
export interface AppenderStart {
  upload: string | undefined
  parts: readonly S3Part[]
  tailName: 0 | 1
  hadTail: boolean
  rest: Uint8Array
}

/** Writes the object `name`. Beginning costs no request. */
export async function openS3Appender(
  { bucket, buffers }: AppenderDeps,
  name: string,
  start: AppenderStart,
): Promise<BlobAppender> {
  const parts: S3Part[] = [...start.parts]
  const sending = new Set<Promise<void>>()
  const stop = new AbortController()
  let upload: S3Upload | undefined =
    start.upload === undefined ? undefined : { name, id: start.upload }
  let { tailName, hadTail } = start
  let sendingBytes = 0
  let offset = parts.reduce((sum, [, size]) => sum + size, start.rest.length)
  let failure: unknown
  let filling: PartBuffer | undefined
  let safe: S3State | undefined

  async function openPart(): Promise<PartBuffer> {
    const number = parts.length + 1
    return buffers.open(number === 1 && !upload ? FIRST_BUFFER_BYTES : partSize(number))
  }

  async function send(part: PartBuffer): Promise<void> {
    if (parts.length >= MAX_PARTS) {
      await part.release()
      throw new AppError('too_large', 'this upload is larger than the 5 TiB that S3 takes')
    }
    try {
      upload ??= { name, id: await bucket.begin(name) }
    } catch (error) {
      failure ??= error
      await part.release()
      throw error
    }
    const to = upload
    const entry: S3Part = ['', part.length]
    const number = parts.push(entry)
    sendingBytes += part.length
    const sent = bucket
      .part(to, number, part.body(), stop.signal)
      .then((etag) => {
        entry[0] = etag
      })
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(async () => {
        sendingBytes -= part.length
        sending.delete(sent)
        await part.release()
      })
    sending.add(sent)
  }

  /** Waits until the next part may be sent beside those that are on their way. */
  async function waitForTurn(size: number): Promise<void> {
    while (sending.size > 0 && !failure) {
      const alone = buffers.held > PROCESS_BYTES
      if (!alone && sendingBytes + size <= IN_FLIGHT_BYTES) return
      await Promise.race(sending)
    }
  }

  async function sendFilled(): Promise<void> {
    const part = filling
    filling = undefined
    if (!part || part.length === 0) return
    await waitForTurn(part.length)
    await send(part)
  }

  /** Sends what is full, since more comes. */
  async function makeRoom(): Promise<void> {
    const first = filling
    if (!first || first.capacity !== FIRST_BUFFER_BYTES || upload) return sendFilled()
    // As large as those that follow: some servers want all parts but the last one alike.
    const next = await buffers.open(partSize(2))
    filling = next
    await next.fill(await first.cut(ONE_PUT_BYTES))
    await send(first)
  }

  async function settle(): Promise<void> {
    await Promise.all(sending)
    if (failure) throw failure
  }

  /** Both at once: the object to go on from, and the last part to complete with. */
  async function sendTail(to: S3Upload, part: PartBuffer): Promise<S3Tail> {
    tailName = tailName === 0 ? 1 : 0
    hadTail = true
    const tail = { name: tailName, size: part.length }
    const [etag] = await Promise.all([
      bucket.part(to, tailNumber(tail), part.body(), stop.signal),
      bucket.put(tailObject(name, tailName), part.body(), stop.signal),
    ])
    return { ...tail, etag }
  }

  async function write(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length; ) {
      if (failure) throw failure
      // A full part is sent only when more comes: it may have been all.
      if (filling && filling.length === filling.capacity) await makeRoom()
      filling ??= await openPart()
      taken += await filling.fill(chunk.subarray(taken))
      safe = undefined
    }
    offset += chunk.length
  }

  async function keep(isLast: boolean): Promise<S3State> {
    if (!upload && (filling?.length ?? 0) <= ONE_PUT_BYTES) {
      if (filling) await bucket.put(name, filling.body(), stop.signal)
      return { object: filling?.length ?? 0 }
    }
    const rest = filling?.length ?? 0
    if (isLast || rest >= MIN_PART_BYTES) await sendFilled()
    await settle()
    if (!upload) throw new AppError('internal', 'parts without a multipart upload')
    const tail = filling && filling.length > 0 ? await sendTail(upload, filling) : undefined
    return { upload: upload.id, parts: parts.map(([tag, size]) => [tag, size]), tail, hadTail }
  }

  if (start.rest.length > 0) {
    filling = await openPart()
    const taken = await filling.fill(start.rest)
    if (taken < start.rest.length) throw new AppError('internal', 'a rest larger than a part')
  }

  return {
    write,
    async checkpoint({ isLast = false } = {}) {
      if (failure) throw failure
      if (offset === 0) return { offset: 0, state: null }
      safe ??= await keep(isLast)
      return positionOf(safe)
    },
    async close() {
      stop.abort()
      await Promise.all(sending)
      await filling?.release()
      filling = undefined
    },
  }
}

export function tailObject(name: string, tail: 0 | 1): string {
  return `${name}.tail-${tail}`
}
