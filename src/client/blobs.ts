import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.ts'
import type { BlobContent, RegistryCall } from '../oci/registry.ts'
import { remoteFault } from './remote-error.ts'
import { pullScope } from './scopes.ts'
import type { Transport } from './transport.ts'

const NO_HEAD = [400, 403, 405, 501]
/** Bytes after which a broken connection is no failure in a row any more. */
const PROGRESS = 1024 * 1024

/** Reading blobs of one registry. */
export function createBlobs(transport: Transport) {
  const { host } = transport

  function get(repository: string, digest: Digest, { signal }: RegistryCall) {
    return {
      url: transport.pathUrl(`${repository}/blobs/${digest}`),
      doing: `read the blob ${digest} of ${repository}`,
      scopes: [pullScope(repository)],
      signal,
    }
  }

  /** Its body begins at `from`. */
  async function open(
    repository: string,
    { digest, size }: BlobContent,
    from: number,
    call: RegistryCall,
  ): Promise<Pieces> {
    const { response } = await transport.send({
      ...get(repository, digest, call),
      method: 'GET',
      ...(from > 0 ? { headers: { range: `bytes=${from}-` } } : {}),
      expect: from > 0 ? [200, 206, 404] : [200, 404],
    })
    if (response.status === 404) {
      await response.body?.cancel()
      throw new AppError('blob_unknown', `${host} has no blob ${digest} in ${repository}`)
    }
    const wrong = lengthFault(response, size, from)
    if (wrong) {
      await response.body?.cancel()
      throw remoteFault('size', `${host} ${wrong} of the blob ${digest}`)
    }
    // 200: it knows no ranges, and what is there already comes once more.
    return piecesOf(response, response.status === 200 ? from : 0)
  }

  return {
    async has(repository: string, digest: Digest, call: RegistryCall = {}): Promise<boolean> {
      const { response } = await transport.send({
        ...get(repository, digest, call),
        doing: `look up the blob ${digest} of ${repository}`,
        method: 'HEAD',
        expect: [200, 404, ...NO_HEAD],
      })
      if (!NO_HEAD.includes(response.status)) return response.status === 200
      // No HEAD here, or the storage that it was sent to signs for GET only.
      const { response: some } = await transport.send({
        ...get(repository, digest, call),
        method: 'GET',
        headers: { range: 'bytes=0-0' },
        // 416: it is empty.
        expect: [200, 206, 404, 416],
      })
      await some.body?.cancel()
      return some.status !== 404
    },

    /**
     * The bytes from `offset` on. A broken connection is taken up where it broke; the digest is
     * compared at the end of a stream that began at 0, since it cannot be known of a part.
     *
     * @throws AppError `blob_unknown`; while streaming `remote_error` for a wrong size or digest
     */
    async read(
      repository: string,
      blob: BlobContent,
      { offset = 0, signal }: RegistryCall & { offset?: number | undefined } = {},
    ): Promise<ReadableStream<Uint8Array>> {
      const hasher = offset === 0 ? new Bun.CryptoHasher(algorithmOf(blob.digest)) : undefined
      let position = offset
      let failures = 0
      let safe = position
      let pieces: Pieces | undefined = await open(repository, blob, position, { signal })

      async function next(): Promise<Uint8Array | undefined> {
        for (;;) {
          try {
            pieces ??= await open(repository, blob, position, { signal })
            const piece = await pieces.next()
            if (piece !== undefined || position >= blob.size) return piece
            throw new AppError(
              'remote_unreachable',
              `${host} ended the blob ${blob.digest} after ${position} of ${blob.size} bytes`,
              { problem: 'closed', ...because('remote_closed', { host }) },
            )
          } catch (error) {
            await pieces?.cancel()
            pieces = undefined
            // A server that sends a little and closes, again and again, is not making progress.
            failures = position - safe >= PROGRESS ? 1 : failures + 1
            safe = position
            await transport.backOff(error, failures, signal)
          }
        }
      }

      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const piece = await next()
            if (piece === undefined) {
              if (hasher && hasher.digest('hex') !== hexOf(blob.digest)) {
                throw remoteFault('digest', `${host} sent other bytes than those of ${blob.digest}`)
              }
              controller.close()
              return
            }
            position += piece.length
            if (position > blob.size) {
              await pieces?.cancel()
              throw remoteFault(
                'size',
                `${host} sent more than the ${blob.size} bytes of ${blob.digest}`,
              )
            }
            hasher?.update(piece)
            controller.enqueue(piece)
          },
          async cancel() {
            await pieces?.cancel()
          },
        },
        { highWaterMark: 0 },
      )
    },
  }
}

/** What is wrong with the length that was announced; nothing when none was. */
function lengthFault({ status, headers }: Response, size: number, from: number) {
  if (status === 206) {
    const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '')
    if (!match || Number(match[1]) !== from) return 'sent another part than was asked for'
    if (match[2] !== '*' && Number(match[2]) !== size) {
      return `says that there are ${match[2]} instead of ${size} bytes`
    }
    return undefined
  }
  const length = headers.get('content-length')
  if (length === null || Number(length) === size) return undefined
  return `says that there are ${length} instead of ${size} bytes`
}

interface Pieces {
  next(): Promise<Uint8Array | undefined>
  cancel(): Promise<void>
}

/** The body without its first `skip` bytes. */
function piecesOf({ body }: Response, skip: number): Pieces {
  const reader = body?.getReader()
  let left = skip
  return {
    async next() {
      for (;;) {
        const piece = (await reader?.read())?.value
        if (piece === undefined || left === 0) return piece
        const rest = piece.subarray(left)
        left -= Math.min(left, piece.length)
        if (rest.length > 0) return rest
      }
    },
    async cancel() {
      await reader?.cancel().catch(() => {})
    },
  }
}
