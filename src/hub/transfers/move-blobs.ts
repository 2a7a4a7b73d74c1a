import type { Digest } from '../../oci/digest.ts'
import type { BlobContent } from '../../oci/registry.ts'
import type { CopyRequest } from './copy-types.ts'
import { readAhead } from './read-ahead.ts'

/** Blobs on their way at once; each holds a few chunks in memory. */
const AT_ONCE = 4
/** Smaller ones are sent again from their beginning, which is less work than to remember them. */
const SESSION_FROM_BYTES = 1024 * 1024

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

  async function send(blob: BlobContent): Promise<void> {
    const { digest, size } = blob
    observer?.blob?.(digest, 'running', 0)
    await target.registry.writeBlob(
      target.repository,
      blob,
      async (offset, ownSignal) => {
        const both = ownSignal ? AbortSignal.any([signal, ownSignal]) : signal
        const call = { offset, signal: both }
        return readAhead(await source.registry.readBlob(source.repository, blob, call))
      },
      {
        signal,
        onProgress: (bytes) => observer?.blob?.(digest, 'running', bytes),
        ...(checkpoint && size >= SESSION_FROM_BYTES
          ? {
              session: checkpoint.sessionOf(digest),
              onSession: (session: string) => checkpoint.saveSession(digest, session),
            }
          : {}),
      },
    )
  }

  async function move(blob: BlobContent): Promise<void> {
    signal.throwIfAborted()
    const { digest, size } = blob
    if (checkpoint?.isDone(digest)) return
    const how = await spared(blob)
    if (!how) await send(blob)
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
