import { isWorthRetrying } from '../client/remote-error.ts'
import { AppError, isAppError } from '../lib/errors.ts'
import { algorithmOf } from '../oci/digest.ts'
import type { BlobContent, OpenBlob, TransferCall } from '../oci/registry.ts'
import type { LocalAccess } from './as-registry.ts'
import type { UploadOwner } from './upload-owner.ts'

/**
 * What a crash may cost: after so many bytes or so long they are synced and their number is
 * written down. Smaller pieces would sync more often, which fast networks notice.
 */
const PIECE_BYTES = 32 * 1024 * 1024
const PIECE_MS = 500
/** Less is taken in one piece, which needs no session. */
const WHOLE_BYTES = 1024 * 1024
/** Tries to open the source again without a byte in between. */
const TRIES = 4
const FIRST_PAUSE_MS = 250

/**
 * Takes a blob as an upload of its own: whole, or where somebody remembers the session in pieces,
 * so that another process can go on with it. A source that breaks is opened again where it broke.
 */
export async function receiveBlob(
  { registry, clock, demand, pusher }: LocalAccess,
  repository: string,
  blob: BlobContent,
  open: OpenBlob,
  call: TransferCall,
): Promise<void> {
  const { uploads, projects } = registry
  const { digest, size } = blob
  const name = await demand(repository, 'repository:push')
  const { account } = await pusher(name)
  const owner: UploadOwner = { repository: name, account }
  const authorizeCommit = () => pusher(name)

  async function demandRoom(bytes: number): Promise<void> {
    await projects.demandRoom(name.project, bytes)
    await uploads.demandRoom(bytes)
  }

  async function openSession(): Promise<{ id: string; offset: number }> {
    if (call.session !== undefined) {
      try {
        const { offset } = await uploads.status(call.session, owner)
        if (offset <= size) return { id: call.session, offset }
        await uploads.cancel(call.session, owner)
      } catch (error) {
        if (!isAppError(error, 'upload_unknown')) throw error
      }
    }
    return { id: (await uploads.start(owner, algorithmOf(digest))).id, offset: 0 }
  }

  if (!call.onSession || size <= WHOLE_BYTES) {
    await demandRoom(size)
    const body = readSteadily(blob, open, 0, call)
    await uploads.single(owner, { digest, body, authorizeCommit })
    return
  }
  let { id, offset } = await openSession()
  await call.onSession(id)
  await demandRoom(size - offset)
  const source = readSteadily(blob, open, offset, call)
  try {
    while (offset < size) {
      await demand(repository, 'repository:push')
      const until = clock() + PIECE_MS
      const piece = take(source, (bytes) => bytes >= PIECE_BYTES || clock() >= until)
      offset = (await uploads.append(id, owner, piece, offset)).offset
    }
  } finally {
    await source.return()
  }
  await uploads.finish(id, owner, { digest, authorizeCommit })
}

/** What the source still has, until that is enough. */
async function* take(
  source: AsyncGenerator<Uint8Array, void>,
  isEnough: (bytes: number) => boolean,
): AsyncGenerator<Uint8Array> {
  for (let taken = 0; !isEnough(taken); ) {
    const { done, value } = await source.next()
    if (done) return
    taken += value.length
    yield value
  }
}

/**
 * The blob from `start` to its end, opened again where it breaks.
 * @throws AppError when it breaks again and again, or is longer than it should be
 */
async function* readSteadily(
  { digest, size }: BlobContent,
  open: OpenBlob,
  start: number,
  { signal, onProgress }: TransferCall,
): AsyncGenerator<Uint8Array, void> {
  let offset = start
  for (let failures = 0; ; ) {
    const before = offset
    try {
      for await (const chunk of await open(offset, signal)) {
        signal?.throwIfAborted()
        offset += chunk.length
        if (offset > size) throw longer(digest, size)
        yield chunk
        onProgress?.(offset)
      }
      if (offset === size) return
      throw new AppError('unavailable', `${digest} ended after ${offset} of ${size} bytes`)
    } catch (error) {
      if (signal?.aborted || !isPassing(error)) throw error
      failures = offset > before ? 1 : failures + 1
      if (failures >= TRIES) throw error
      await Bun.sleep(FIRST_PAUSE_MS * 2 ** failures)
    }
  }
}

function longer(digest: string, size: number): AppError {
  return new AppError('digest_mismatch', `${digest} has more than the ${size} bytes announced`)
}

/** The connection was lost: the next try may go better. Who asks for a pause gets a longer one. */
function isPassing(error: unknown): boolean {
  if (!isAppError(error)) return true
  return error.code === 'unavailable' || (error.code !== 'rate_limited' && isWorthRetrying(error))
}
