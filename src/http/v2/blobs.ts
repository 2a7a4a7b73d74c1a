import { AppError } from '../../lib/errors.ts'
import type { Digest } from '../../oci/digest.ts'
import { type ByteRange, parseRange } from '../../oci/range.ts'
import type { Blob } from '../../registry/blobs.ts'
import { createAddressCheck } from '../forwarded.ts'
import { auditOf } from './audit.ts'
import { matchesEtag } from './manifests.ts'
import { multipartResponse } from './multipart.ts'
import { demandDigest } from './parse.ts'
import type { V2Deps, V2Handler, V2Request } from './v2.ts'

/** Above this size an answer may take a slow client longer than the server's idle limit. */
const SLOW_ANSWER_BYTES = 256 * 1024

/** Reading and deleting blobs (distribution-spec, "Pulling blobs"). */
export function blobHandlers(deps: V2Deps): Record<string, V2Handler> {
  const { registry, authorizer, settings } = deps
  const staysHere = createAddressCheck(settings.redirectExcept)

  /** Whoever may push and asks will refer to it soon: keep it from the collector. */
  async function refresh({ principal, name, project }: V2Request, blob: Blob, digest: Digest) {
    if (blob.unreferencedSince === null || principal.kind === 'anonymous') return
    const resource = { kind: 'repository', repository: name.full, project } as const
    const { allowed } = await authorizer.authorize(principal, 'repository:push', resource)
    if (allowed) await registry.blobs.refresh(blob, digest)
  }

  async function send(
    { context }: V2Request,
    blob: Blob,
    range: ByteRange | undefined,
    answer: { status: number; headers: Record<string, string> },
  ): Promise<Response> {
    const mayRedirect = !staysHere(context.address)
    const source = await registry.blobs.open(blob, range, { mayRedirect })
    if (source instanceof Uint8Array) return new Response(source, answer)
    if (source.kind === 'file') return new Response(source.file, answer)
    // Its length is known, and counted in the log, but Bun sends it in chunks.
    if (source.kind === 'stream') return new Response(source.stream, answer)
    return redirect(source.url, answer.headers)
  }

  return {
    async 'blob.head'(request) {
      const digest = demandDigest(request.target)
      const blob = await registry.blobs.get(request.name, digest)
      await refresh(request, blob, digest)
      if (matchesEtag(request.context.request.headers.get('if-none-match'), digest)) {
        return notModified(digest)
      }
      return new Response(null, { headers: headersOf(digest, blob.size) })
    },

    async 'blob.get'(request) {
      const { context, name, target } = request
      const digest = demandDigest(target)
      const blob = await registry.blobs.get(name, digest)
      const headers = headersOf(digest, blob.size)
      const given = context.request.headers
      if (matchesEtag(given.get('if-none-match'), digest)) {
        return notModified(digest)
      }
      if (blob.size > SLOW_ANSWER_BYTES) context.keepOpen()
      const ifRange = given.get('if-range')
      // One tag, strongly compared (RFC 9110 section 13.1.5); dates we have none.
      const honoured = ifRange === null || ifRange.trim() === `"${digest}"`
      const ranges = honoured ? parseRange(given.get('range'), blob.size) : undefined
      if (ranges === undefined) return send(request, blob, undefined, { status: 200, headers })
      if (ranges === 'unsatisfiable') throw unsatisfiable(given.get('range'), blob.size)
      const [range] = ranges
      if (ranges.length > 1 || !range) {
        const parts = await multipartResponse(ranges, blob, headers, registry.blobs.open)
        return parts ?? send(request, blob, undefined, { status: 200, headers })
      }
      return send(request, blob, range, {
        status: 206,
        headers: {
          ...headers,
          'content-length': String(range.end - range.start + 1),
          'content-range': `bytes ${range.start}-${range.end}/${blob.size}`,
        },
      })
    },

    async 'blob.delete'(request) {
      const digest = demandDigest(request.target)
      await registry.blobs.remove(request.name, digest, auditOf(request, 'blob.delete', digest))
      return new Response(null, { status: 202 })
    },
  }
}

function headersOf(digest: Digest, size: number): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': String(size),
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    // oras-go seeks only when it sees this.
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=31536000, immutable',
    // Bun makes one up from the name of the file, and browsers must not show what is in a blob.
    'content-disposition': 'attachment',
  }
}

/** Signed for a while only, so nobody may keep it; the answer there names its own length. */
function redirect(url: string, { 'docker-content-digest': digest }: Record<string, string>) {
  const headers = { location: url, 'cache-control': 'no-store' }
  return new Response(null, {
    status: 307,
    headers: digest === undefined ? headers : { ...headers, 'docker-content-digest': digest },
  })
}

function notModified(digest: Digest): Response {
  return new Response(null, { status: 304, headers: { etag: `"${digest}"` } })
}

function unsatisfiable(range: string | null, size: number): AppError {
  return new AppError(
    'range_invalid',
    `the range "${(range ?? '').slice(0, 100)}" does not lie within the ${size} bytes of the blob`,
    { headers: { 'content-range': `bytes */${size}` } },
  )
}
