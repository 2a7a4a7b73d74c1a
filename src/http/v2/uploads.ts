import { AppError, isAppError } from '../../lib/errors.ts'
import { type Digest, isDigestAlgorithm } from '../../oci/digest.ts'
import { parseChunkRange } from '../../oci/range.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import type { UploadOwner } from '../../registry/upload-owner.ts'
import { readBody } from '../body.ts'
import { demandDigest, demandUploadId } from './parse.ts'
import { announcedSize, PUSH, pusherOf } from './pusher.ts'
import { accountOf, refusal, type V2Deps, type V2Handler, type V2Request } from './v2.ts'

/** Digests of no bytes: a POST with one of them and no body is a whole upload. */
const EMPTY_DIGESTS: readonly string[] = (['sha256', 'sha512'] as const).map(
  (name) => `${name}:${Bun.CryptoHasher.hash(name, '', 'hex')}`,
)

/** Blob uploads (distribution-spec, "Pushing blobs"). */
export function uploadHandlers(deps: V2Deps): Record<string, V2Handler> {
  const { registry, authorizer, settings, metrics } = deps
  const { uploads } = registry

  /** Refuses early what the quota or the disk has no room for. */
  async function demandRoom({ name, context }: V2Request): Promise<void> {
    const size = announcedSize(context.request)
    await registry.projects.demandRoom(name.project, Math.max(1, size))
    await uploads.demandRoom(size)
  }

  async function start(request: V2Request): Promise<Response> {
    const { context } = request
    const algorithm = context.query.get('digest-algorithm') ?? 'sha256'
    if (!isDigestAlgorithm(algorithm)) {
      throw new AppError(
        'digest_invalid',
        `the digest algorithm "${algorithm.slice(0, 50)}" is not supported; use sha256 or sha512`,
      )
    }
    await demandRoom(request)
    const { id } = await uploads.start(ownerOf(request), algorithm)
    return sessionResponse(202, request, id, 0)
  }

  async function single(request: V2Request, digest: Digest): Promise<Response> {
    await uploads.single(ownerOf(request), {
      digest,
      body: receive(request),
      authorizeCommit: () => pusherOf(deps, request),
    })
    return created(request, digest)
  }

  /**
   * Without the right to pull from the source, the answer is as if the blob were not there. But
   * when only the token is too narrow, the client learns which one to get.
   */
  async function mount(request: V2Request, digest: Digest): Promise<Response | undefined> {
    const { context, principal, asked } = request
    const from = context.query.get('from')
    const source = from === null ? undefined : parseRepositoryName(from)
    if (from !== null && !source) return undefined
    if (source) {
      const decision = await authorizer.authorize(principal, 'repository:pull', {
        kind: 'repository',
        repository: source.full,
        project: await registry.projects.find(source.project),
      })
      if (!decision.allowed && decision.code === 'insufficient_scope') {
        throw refusal(decision, context, PUSH, asked)
      }
      if (!decision.allowed) return undefined
    }
    const mounted = await registry.blobs.mount({
      target: request.name,
      digest,
      source,
      principal,
      pusher: await pusherOf(deps, request),
    })
    return mounted ? created(request, digest) : undefined
  }

  /** The body with our own watchdog instead of the server's, which cuts slow uploads. */
  async function* receive({ context }: V2Request): AsyncGenerator<Uint8Array> {
    context.keepOpen()
    metrics.uploadsInFlight.inc()
    try {
      for await (const chunk of readBody(context.request, settings.bodyIdleMs)) {
        context.received += chunk.length
        yield chunk
      }
    } finally {
      metrics.uploadsInFlight.dec()
    }
  }

  /** 416 carries where to go on, and the session survives it. */
  async function withOffset<T>(request: V2Request, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isAppError(error, 'upload_range_invalid')) {
        const offset = Number(error.details.offset)
        error.details.headers = sessionHeaders(request, request.target, offset)
      }
      throw error
    }
  }

  return {
    async 'upload.start'(request) {
      const { context } = request
      const mountDigest = context.query.get('mount')
      if (mountDigest !== null) {
        return (await mount(request, demandDigest(mountDigest))) ?? start(request)
      }
      const text = context.query.get('digest')
      if (text === null) return start(request)
      const digest = demandDigest(text)
      const hasBody = context.request.body !== null && announcedSize(context.request) !== 0
      const streams = context.request.headers.has('transfer-encoding')
      // Old clients announce the digest and send the bytes with a PUT.
      if (!hasBody && !streams && !EMPTY_DIGESTS.includes(digest)) return start(request)
      await demandRoom(request)
      return single(request, digest)
    },

    async 'upload.status'(request) {
      const id = demandUploadId(request.target)
      const { offset } = await uploads.status(id, ownerOf(request))
      return sessionResponse(204, request, id, offset)
    },

    async 'upload.append'(request) {
      const id = demandUploadId(request.target)
      await demandRoom(request)
      const { offset } = await withOffset(request, () =>
        uploads.append(id, ownerOf(request), receive(request), chunkStart(request)),
      )
      return sessionResponse(202, request, id, offset)
    },

    async 'upload.finish'(request) {
      const { context } = request
      const id = demandUploadId(request.target)
      const digest = demandDigest(context.query.get('digest'))
      await demandRoom(request)
      const hasBody = context.request.body !== null
      context.keepOpen()
      await withOffset(request, () =>
        uploads.finish(id, ownerOf(request), {
          digest,
          ...(hasBody ? { body: receive(request) } : {}),
          start: hasBody ? chunkStart(request) : undefined,
          authorizeCommit: () => pusherOf(deps, request),
        }),
      )
      return created(request, digest)
    },

    async 'upload.cancel'(request) {
      await uploads.cancel(demandUploadId(request.target), ownerOf(request))
      return new Response(null, { status: 204 })
    },
  }
}

function ownerOf({ name, principal }: V2Request): UploadOwner {
  return { repository: name, account: accountOf(principal) }
}

/**
 * Where the chunk says it starts; undefined: it just goes on. Its end is not checked, since
 * clients exist that are one off (Harbor's adapter for Artifactory).
 */
function chunkStart({ context }: V2Request): number | undefined {
  const header = context.request.headers.get('content-range')
  if (header === null) return undefined
  const range = parseChunkRange(header)
  if (range) return range.start
  throw new AppError(
    'upload_invalid',
    `Content-Range is "${header.slice(0, 100)}"; it must be <first byte>-<last byte>`,
  )
}

function sessionHeaders(request: V2Request, id: string, offset: number): Record<string, string> {
  return {
    location: `/v2/${request.asked}/blobs/uploads/${id}`,
    // docker needs a range that it can parse even when there is nothing yet.
    range: `0-${Math.max(0, offset - 1)}`,
    'docker-upload-uuid': id,
  }
}

function sessionResponse(status: number, request: V2Request, id: string, offset: number): Response {
  return new Response(null, { status, headers: sessionHeaders(request, id, offset) })
}

function created(request: V2Request, digest: Digest): Response {
  return new Response(null, {
    status: 201,
    headers: {
      location: `/v2/${request.asked}/blobs/${digest}`,
      'docker-content-digest': digest,
    },
  })
}
