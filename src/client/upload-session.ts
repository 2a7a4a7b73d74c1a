import { isAppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { BlobContent, RegistryCall } from '../oci/registry.ts'
import type { BlobSource } from './blob-source.ts'
import { isWorthRetrying, remoteFault } from './remote-error.ts'
import { pullScope, pushScope } from './scopes.ts'
import type { RemoteAnswer, Transport } from './transport.ts'
import { isSameSite } from './trusted-realm.ts'

/** An upload that was begun (distribution-spec, "Pushing blobs"). */
export interface Session {
  repository: string
  /** Where the next request goes; changes with every answer. */
  url: URL
  /** `OCI-Chunk-Min-Length` */
  leastChunk: number
}

/** A registry may take its time to put a large blob where it belongs. */
const COMMIT_MS = 600_000
const CANCEL_MS = 5_000

/** The requests of one upload. */
export function createUploadSessions(transport: Transport) {
  const { host } = transport

  /** undefined: it was mounted, nothing has to be sent. */
  async function begin(
    repository: string,
    { signal, mount }: RegistryCall & { mount?: { digest: Digest; from?: string | undefined } },
  ): Promise<Session | undefined> {
    const { digest, from } = mount ?? {}
    const answer = await transport.send({
      method: 'POST',
      url: transport.pathUrl(`${repository}/blobs/uploads/`, {
        ...(digest === undefined ? {} : { mount: digest }),
        ...(from === undefined ? {} : { from }),
      }),
      doing: `${mount ? `mount ${digest} in` : 'begin an upload to'} ${repository}`,
      scopes: [pushScope(repository), ...(from === undefined ? [] : [pullScope(from)])],
      expect: mount ? [201, 202] : [202],
      signal,
    })
    const { response, url } = answer
    if (response.status === 201) {
      await response.body?.cancel()
      return undefined
    }
    const leastChunk = Number(response.headers.get('oci-chunk-min-length')) || 0
    const session = { repository, url, leastChunk }
    await moveOn(session, answer, true)
    return session
  }

  async function start(repository: string, call: RegistryCall): Promise<Session> {
    const session = await begin(repository, call)
    if (!session) throw remoteFault('answer', `${host} does not say where to upload to`)
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
    part: { source: BlobSource; offset: number; length: number; isPlaced: boolean },
    { signal }: RegistryCall,
  ): Promise<number> {
    const { source, offset, length, isPlaced } = part
    const answer = await transport.send({
      method: 'PATCH',
      url: session.url,
      doing: `upload to ${session.repository}`,
      scopes: [pushScope(session.repository)],
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(length),
        // One piece for all is a stream, which has no range (and Artifactory wants none).
        ...(isPlaced ? { 'content-range': `${offset}-${offset + length - 1}` } : {}),
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

  /** undefined: it was never one of this registry's. */
  function parse(repository: string, text: string): Session | undefined {
    const [, leastChunk, href = ''] = /^(\d+) (\S+)$/.exec(text) ?? []
    const url = URL.canParse(href) ? new URL(href) : undefined
    if (!url || !isOwn(url, transport.pathUrl(''))) return undefined
    return { repository, url, leastChunk: Number(leastChunk) }
  }

  return { begin, start, cancel, offsetOf, sendPart, finish, parse }
}

/** For `parse`, also in another process. */
export function formatSession({ url, leastChunk }: Session): string {
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
