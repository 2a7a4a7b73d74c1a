import { AppError } from '../lib/errors.ts'
import { algorithmOf } from '../oci/digest.ts'
import type { BlobContent, RegistryCall } from '../oci/registry.ts'
import { demandDigest, type LocalAccess } from './as-registry.ts'

/** How often somebody who reads for long is asked whether he still may. */
const ASK_AGAIN_MS = 5_000

/** A blob of ours from `offset` on, verified where it is read from its beginning. */
export async function openBlob(
  { registry, clock, demand }: LocalAccess,
  repository: string,
  { digest, size }: BlobContent,
  { offset = 0, signal }: RegistryCall & { offset?: number | undefined },
): Promise<ReadableStream<Uint8Array>> {
  const name = await demand(repository, 'repository:pull')
  const blob = await registry.blobs.get(name, digest)
  if (blob.size !== size) {
    throw new AppError(
      'size_invalid',
      `blob ${digest} of ${name.full} has ${blob.size} bytes, and its manifest says ${size}`,
    )
  }
  if (offset >= size && size > 0) return new Blob([]).stream()
  const range = offset === 0 ? undefined : { start: offset, end: size - 1 }
  const source = await registry.blobs.open(blob, range)
  const reader = (await streamOf(source, range)).getReader()
  const algorithm = algorithmOf(digest)
  const hash = offset === 0 ? new Bun.CryptoHasher(algorithm) : undefined
  let askAt = clock() + ASK_AGAIN_MS

  async function next(): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted()
    if (clock() >= askAt) {
      await demand(repository, 'repository:pull')
      askAt = clock() + ASK_AGAIN_MS
    }
    const { done, value } = await reader.read()
    if (!done) {
      hash?.update(value)
      return value
    }
    if (hash) demandDigest(digest, `${algorithm}:${hash.digest('hex')}`)
    return undefined
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const chunk = await next()
        if (chunk) controller.enqueue(chunk)
        else controller.close()
      } catch (error) {
        // It may hold a connection to the bucket.
        await reader.cancel(error).catch(() => {})
        throw error
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

type Opened = Awaited<ReturnType<LocalAccess['registry']['blobs']['open']>>

async function streamOf(
  source: Opened,
  range: { start: number; end: number } | undefined,
): Promise<ReadableStream<Uint8Array>> {
  if (source instanceof Uint8Array) return new Blob([source.slice()]).stream()
  if (source.kind === 'file') return source.file.stream()
  if (source.kind === 'stream') return source.stream
  // Our own store behind a signed address, which is no address of a user.
  const headers = range ? { range: `bytes=${range.start}-${range.end}` } : {}
  const answer = await fetch(source.url, { headers })
  if (answer.status === (range ? 206 : 200) && answer.body) return answer.body
  throw new AppError('unavailable', `the storage answered ${answer.status}`)
}
