import { isAppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { BlobContent, OpenBlob, RegistryCall, TransferCall } from '../oci/registry.ts'
import { type BlobSource, createBlobSource, SourceFailure } from './blob-source.ts'
import type { Provider } from './provider.ts'
import { isWorthRetrying, remoteFault } from './remote-error.ts'
import { pullScope, pushScope } from './scopes.ts'
import type { RemoteAnswer, Transport } from './transport.ts'
import { isSameSite } from './trusted-realm.ts'

/** An upload that was begun (distribution-spec, "Pushing blobs"). */
interface Session {
  repository: string
  /** Where the next request goes; changes with every answer. */
  url: URL
  /** `OCI-Chunk-Min-Length` */
  leastChunk: number
}

/** A registry may take its time to put a large blob where it belongs. */
const COMMIT_MS = 600_000
const CANCEL_MS = 5_000
/** Bytes after which a failure is none in a row any more. */
const PROGRESS = 1024 * 1024

export type Uploads = ReturnType<typeof createUploads>

export function createUploads({
  transport,
  provider,
  hasBlob,
}: {
  transport: Transport
  provider: Provider
  hasBlob: (repository: string, digest: Digest, call?: RegistryCall) => Promise<boolean>
}) {
  const { host } = transport

  async function start(repository: string, { signal }: RegistryCall): Promise<Session> {
    const answer = await transport.send({
      method: 'POST',
      url: transport.pathUrl(`${repository}/blobs/uploads/`),
      doing: `begin an upload to ${repository}`,
      scopes: [pushScope(repository)],
      expect: [202],
      signal,
    })
    const session = { repository, url: answer.url, leastChunk: 0 }
    session.leastChunk = Number(answer.response.headers.get('oci-chunk-min-length')) || 0
    await moveOn(session, answer, true)
    return session
  }

  /** Takes over the address of the next request. */
  async function moveOn(session: Session, { response, url }: RemoteAnswer, isNeeded = false) {
    await response.body?.cancel()
    const location = response.headers.get('location')
    if (location === null && !isNeeded) return
    const next = URL.canParse(location ?? '', url.href)
      ? new URL(location ?? '', url.href)
      : undefined
    if (!next || location === null) {
      throw remoteFault('answer', `${host} does not say where to upload to`)
    }
    // Registries behind a proxy that ends TLS often do not know that it was there.
    if (next.hostname === url.hostname && url.protocol === 'https:') {
      if (next.protocol === 'http:' && ['', '80', url.port].includes(next.port)) {
        next.protocol = 'https:'
        next.port = url.port
      }
    }
    if (!isOwn(next, url)) {
      throw remoteFault(
        'redirect',
        `${host} wants the upload sent to ${next.origin}, which does not belong to it`,
      )
    }
    session.url = next
  }

  async function cancel(session: Session): Promise<void> {
    await transport
      .send({
        method: 'DELETE',
        url: session.url,
        doing: 'cancel an upload',
        scopes: [pushScope(session.repository)],
        expect: [200, 202, 204, 404, 405],
        isRepeatable: false,
        limits: { answer: CANCEL_MS, total: CANCEL_MS },
      })
      .then(({ response }) => response.body?.cancel())
      // The registry drops it after some days.
      .catch(() => {})
  }

  /** How many bytes arrived; undefined: unknown, or the upload is gone. */
  async function offsetOf(session: Session, signal?: AbortSignal): Promise<number | undefined> {
    try {
      const answer = await transport.send({
        method: 'GET',
        url: session.url,
        doing: `ask for an upload to ${session.repository}`,
        scopes: [pushScope(session.repository)],
        expect: [200, 202, 204],
        signal,
      })
      await moveOn(session, answer)
      return endOf(answer.response)
    } catch (error) {
      if (isWorthRetrying(error) || !isAppError(error)) throw error
      return undefined
    }
  }

  async function sendPart(
    session: Session,
    part: { source: BlobSource; offset: number; length: number; total: number },
    { signal }: RegistryCall,
  ): Promise<number> {
    const { source, offset, length } = part
    const answer = await transport.send({
      method: 'PATCH',
      url: session.url,
      doing: `upload to ${session.repository}`,
      scopes: [pushScope(session.repository)],
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(length),
        // One piece for all is a stream, which has no range (and Artifactory wants none).
        ...(length === part.total ? {} : { 'content-range': `${offset}-${offset + length - 1}` }),
      },
      body: () => source.part(offset, length),
      expect: [200, 201, 202, 204],
      signal,
    })
    await moveOn(session, answer)
    const end = endOf(answer.response) ?? offset + length
    // Some count from the first byte of the piece: only less than was sent means something.
    return end > offset && end < offset + length ? end : offset + length
  }

  /** With the bytes from `offset` on, or none when all are there. */
  async function finish(
    session: Session,
    { digest, size }: BlobContent,
    offset: number,
    source: BlobSource,
    { signal }: RegistryCall,
  ): Promise<void> {
    const url = new URL(session.url)
    url.searchParams.set('digest', digest)
    const { response } = await transport.send({
      method: 'PUT',
      url,
      doing: `complete the upload of ${digest} to ${session.repository}`,
      scopes: [pushScope(session.repository)],
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(size - offset),
      },
      ...(offset < size ? { body: () => source.part(offset, size - offset) } : {}),
      isRepeatable: false,
      expect: [200, 201, 202, 204],
      limits: { answer: COMMIT_MS },
      signal,
    })
    await response.body?.cancel()
  }

  /** Sends what is missing from `from` on. */
  async function sendAll(
    session: Session,
    blob: BlobContent,
    from: number,
    source: BlobSource,
    call: RegistryCall,
    onOffset: (session: Session, offset: number) => Promise<void>,
  ): Promise<void> {
    const chunk = chunkOf(session, blob.size, from)
    let offset = from
    while (chunk !== undefined && offset < blob.size) {
      const length = Math.min(chunk, blob.size - offset)
      const part = { source, offset, length, total: blob.size }
      offset = await sendPart(session, part, call)
      await onOffset(session, offset)
    }
    await finish(session, blob, offset, source, call)
  }

  /** Bytes of one PATCH; undefined: everything goes with the PUT. */
  function chunkOf({ leastChunk }: Session, size: number, from: number): number | undefined {
    if (provider.chunkSize !== undefined) return Math.max(provider.chunkSize, leastChunk)
    // The rest of an upload that broke needs to say where it belongs.
    return provider.uploadByPatch || from > 0 ? Math.max(1, size) : undefined
  }

  return {
    start,
    cancel,

    /** False: not mounted, it has to be sent. */
    async mount(
      repository: string,
      digest: Digest,
      from: string | undefined,
      { signal }: RegistryCall = {},
    ): Promise<boolean> {
      const source = from === undefined ? {} : { from }
      try {
        const answer = await transport.send({
          method: 'POST',
          url: transport.pathUrl(`${repository}/blobs/uploads/`, { mount: digest, ...source }),
          doing: `mount ${digest} in ${repository}`,
          scopes: [pushScope(repository), ...(from === undefined ? [] : [pullScope(from)])],
          expect: [201, 202],
          signal,
        })
        if (answer.response.status === 201) {
          await answer.response.body?.cancel()
          return true
        }
        const session = { repository, url: answer.url, leastChunk: 0 }
        await moveOn(session, answer, true)
        await cancel(session)
        return false
      } catch (error) {
        // A registry that forbids or does not know it takes the bytes.
        if (isAppError(error, 'remote_denied', 'remote_error', 'not_found')) {
          if (!isWorthRetrying(error)) return false
        }
        throw error
      }
    },

    /** @throws AppError when it did not arrive, or the error of `open` */
    async write(
      repository: string,
      blob: BlobContent,
      open: OpenBlob,
      { signal, onProgress, session: named, onSession }: TransferCall = {},
    ): Promise<void> {
      const source = createBlobSource(open, signal, (end) => onProgress?.(end))
      let session = named === undefined ? undefined : parseSession(repository, named)
      let offset = 0
      if (session) [session, offset] = await takeUp(session, blob, signal)
      const tell = async (present: Session) => onSession?.(formatSession(present))
      let safe = 0
      let failures = 0
      let hadLogin = false
      try {
        for (;;) {
          try {
            session ??= await start(repository, { signal })
            await tell(session)
            await sendAll(session, blob, offset, source, { signal }, async (present, end) => {
              offset = end
              await tell(present)
            })
            return
          } catch (caught) {
            signal?.throwIfAborted()
            const error = caught instanceof SourceFailure ? caught.cause : caught
            failures = offset - safe >= PROGRESS ? 1 : failures + 1
            safe = offset
            // A token may end while a large blob is on its way; another one does, once in a row.
            const isLogin = isAppError(error, 'remote_denied') && error.details.status === 401
            const isOffset = isAppError(error) && error.details.status === 416
            if (!session || !((isLogin && !hadLogin) || isOffset)) {
              await transport.backOff(error, failures, signal)
            } else if (failures > 3) throw error
            hadLogin = isLogin
            // The answer may be what was lost, and everything there.
            if (await hasBlob(repository, blob.digest, { signal })) return
            ;[session, offset] = await takeUp(session, blob, signal)
          }
        }
      } catch (error) {
        // One that was told of is for another process, or another day.
        if (session && !onSession) await cancel(session)
        throw error
      } finally {
        await source.cancel()
      }
    },
  }

  /** undefined: it was never one of this registry's. */
  function parseSession(repository: string, text: string): Session | undefined {
    const [, leastChunk, href = ''] = /^(\d+) (\S+)$/.exec(text) ?? []
    const url = URL.canParse(href) ? new URL(href) : undefined
    if (!url || !isOwn(url, transport.pathUrl(''))) return undefined
    return { repository, url, leastChunk: Number(leastChunk) }
  }

  /** Where to go on after a failure: where the registry says, else from the beginning. */
  async function takeUp(
    session: Session | undefined,
    blob: BlobContent,
    signal: AbortSignal | undefined,
  ): Promise<[Session | undefined, number]> {
    if (!session) return [undefined, 0]
    const offset = await offsetOf(session, signal)
    if (offset !== undefined && offset <= blob.size) return [session, offset]
    await cancel(session)
    return [undefined, 0]
  }
}

function formatSession({ url, leastChunk }: Session): string {
  return `${leastChunk} ${url.href}`
}

/** The end of `Range: 0-<last>`; `0-0` is what an empty upload says too (distribution). */
function endOf({ headers }: Response): number | undefined {
  const last = /^(?:bytes[= ])?0-(\d+)$/.exec(headers.get('range') ?? '')?.[1]
  if (last === undefined) return undefined
  return last === '0' ? 0 : Number(last) + 1
}

function isOwn(url: URL, registry: URL): boolean {
  const isDowngrade = registry.protocol === 'https:' && url.protocol !== 'https:'
  return !isDowngrade && isSameSite(url.hostname, registry.hostname)
}
