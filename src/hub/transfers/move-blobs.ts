import { createLimit } from '../../lib/limit.ts'
import type { Digest } from '../../oci/digest.ts'
import type { BlobContent } from '../../oci/registry.ts'
import type { CopyRequest } from './copy-types.ts'

/** Blobs that are seen to at once, within the limits of both registries. */
const AT_ONCE = 8
/**
 * Of them, how many large ones are read at once; each holds a few pieces in memory. The others wait
 * for the target to put on its disk what it has: registries sync a blob before they answer, and
 * with nothing read meanwhile network and disk would take turns.
 */
const READ_AT_ONCE = 4
/**
 * Smaller ones are sent again from their beginning, which is less work than to remember them, and
 * need not wait to be read: asking for them takes longer.
 */
const LARGE_FROM_BYTES = 1024 * 1024

/**
 * Brings the blobs to the target: what is there is left alone, what another repository of the
 * target has is mounted, the rest is streamed through. The first failure stops all, and what was
 * under way can be gone on with by the next call with the same checkpoint.
 */
export async function moveBlobs(
  request: Pick<
    CopyRequest,
    'source' | 'target' | 'mountFrom' | 'signal' | 'checkpoint' | 'observer'
  >,
  blobs: ReadonlyMap<Digest, number>,
): Promise<void> {
  const { source, target, mountFrom = [], checkpoint, observer } = request
  const stop = new AbortController()
  const signal = request.signal ? AbortSignal.any([request.signal, stop.signal]) : stop.signal

  /** What is there without sending it. */
  async function spared({ digest }: BlobContent): Promise<'skipped' | 'mounted' | undefined> {
    if (await target.registry.hasBlob(target.repository, digest, { signal })) return 'skipped'
    for (const from of mountFrom) {
      const { registry, repository } = target
      if (await registry.mountBlob(repository, digest, from, { signal })) return 'mounted'
    }
    return undefined
  }

  /** @param onRead when its last byte was taken from the source */
  async function send(blob: BlobContent, onRead: () => void): Promise<void> {
    const { digest, size } = blob
    observer?.blob?.(digest, 'running', 0)
    await target.registry.writeBlob(
      target.repository,
      blob,
      (offset, ownSignal) => {
        const both = ownSignal ? AbortSignal.any([signal, ownSignal]) : signal
        return source.registry.readBlob(source.repository, blob, { offset, signal: both })
      },
      {
        signal,
        onProgress(bytes) {
          observer?.blob?.(digest, 'running', bytes)
          if (bytes === size) onRead()
        },
        ...(checkpoint && size >= LARGE_FROM_BYTES
          ? {
              session: checkpoint.sessionOf(digest),
              onSession: (session: string) => checkpoint.saveSession(digest, session),
            }
          : {}),
      },
    )
  }

  const reading = createLimit(READ_AT_ONCE)

  /** In its turn, which ends when all of it was read. */
  async function sendLarge(blob: BlobContent): Promise<void> {
    const turn = Promise.withResolvers<void>()
    const read = Promise.withResolvers<void>()
    void reading(() => {
      turn.resolve()
      return read.promise
    })
    await turn.promise
    try {
      signal.throwIfAborted()
      await send(blob, read.resolve)
    } finally {
      read.resolve()
    }
  }

  async function move(blob: BlobContent): Promise<void> {
    signal.throwIfAborted()
    const { digest, size } = blob
    if (checkpoint?.isDone(digest)) return
    const how = await spared(blob)
    if (!how) await (size < LARGE_FROM_BYTES ? send(blob, () => {}) : sendLarge(blob))
    observer?.blob?.(digest, how ?? 'sent', size)
    checkpoint?.done(digest)
  }

  // The largest first, so that none of them is left for the end, when nothing else is to be done.
  const waiting = [...blobs]
    .map(([digest, size]) => ({ digest, size }))
    .sort((a, b) => b.size - a.size)
  let failure: { error: unknown } | undefined

  async function work(): Promise<void> {
    for (let blob = waiting.shift(); blob && !failure; blob = waiting.shift()) {
      try {
        await move(blob)
      } catch (error) {
        // What follows the first failure is its consequence.
        failure ??= { error }
        stop.abort(error)
      }
    }
  }

  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (failure) throw failure.error
}
