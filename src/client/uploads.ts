import { isAppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import type { BlobContent, OpenBlob, RegistryCall, TransferCall } from '../oci/registry.ts'
import { type BlobSource, createBlobSource, SourceFailure } from './blob-source.ts'
import type { Provider } from './provider.ts'
import { isWorthRetrying } from './remote-error.ts'
import type { Transport } from './transport.ts'
import { createUploadSessions, formatSession, type Session } from './upload-session.ts'

/** Bytes after which a failure is none in a row any more. */
const PROGRESS = 1024 * 1024
/** How often in a row the registry may correct where the upload stands. */
const MOST_TURNS = 3

/** Sending blobs to one registry. */
export function createUploads({
  transport,
  provider,
  hasBlob,
}: {
  transport: Transport
  provider: Provider
  hasBlob: (repository: string, digest: Digest, call?: RegistryCall) => Promise<boolean>
}) {
  const sessions = createUploadSessions(transport)
  const { start, cancel } = sessions

  /** Sends what is missing from `from` on. */
  async function sendAll(
    session: Session,
    blob: BlobContent,
    from: number,
    source: BlobSource,
    call: RegistryCall & { keepsOpen: boolean; isTakenUp: boolean },
    onOffset: (session: Session, offset: number) => Promise<void>,
  ): Promise<void> {
    const chunk = chunkOf(session, blob.size, from > 0 || call.keepsOpen)
    let offset = from
    while (chunk !== undefined && offset < blob.size) {
      const length = Math.min(chunk, blob.size - offset)
      // Of one that was taken up an earlier request may still be on its way: saying where the
      // bytes belong has the registry refuse them (416) instead of adding them behind it.
      const isPlaced = call.isTakenUp || length !== blob.size
      const part = { source, offset, length, isPlaced }
      offset = await sessions.sendPart(session, part, call)
      await onOffset(session, offset)
    }
    await sessions.finish(session, blob, offset, source, call)
  }

  /**
   * Bytes of one PATCH; undefined: everything goes with the PUT. What is to be gone on with goes by
   * PATCH: of a PUT that breaks off registries keep nothing, and the rest of one has to say where
   * it belongs.
   */
  function chunkOf({ leastChunk }: Session, size: number, isPart: boolean): number | undefined {
    if (provider.chunkSize !== undefined) return Math.max(provider.chunkSize, leastChunk)
    return provider.uploadByPatch || isPart ? Math.max(1, size) : undefined
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
      try {
        const session = await sessions.begin(repository, { signal, mount: { digest, from } })
        if (session) await cancel(session)
        return session === undefined
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
      const tell = async (present: Session) => onSession?.(formatSession(present))
      let session = named === undefined ? undefined : sessions.parse(repository, named)
      let offset = 0
      let safe = 0
      let failures = 0
      let hadLogin = false
      const keepsOpen = onSession !== undefined
      let isTakenUp = false

      /** Fails with `error` where going on makes no sense. */
      async function recover(error: unknown) {
        signal?.throwIfAborted()
        failures = offset - safe >= PROGRESS ? 1 : failures + 1
        safe = offset
        // The token may end while a large blob is on its way: once in a row another one does.
        const isLogin = isAppError(error, 'remote_denied') && error.details.status === 401
        const isOffset = isAppError(error) && error.details.status === 416
        const goesOn = session && failures <= MOST_TURNS && (isOffset || (isLogin && !hadLogin))
        if (!goesOn) await transport.backOff(error, failures, signal)
        hadLogin = isLogin
      }

      try {
        if (session) [session, offset] = await takeUp(session, blob, signal)
        for (;;) {
          try {
            isTakenUp = session !== undefined
            session ??= await start(repository, { signal })
            await tell(session)
            await sendAll(
              session,
              blob,
              offset,
              source,
              { signal, keepsOpen, isTakenUp },
              async (present, end) => {
                offset = end
                await tell(present)
              },
            )
            return
          } catch (error) {
            await recover(error instanceof SourceFailure ? error.cause : error)
            // The answer may be what was lost, and everything there.
            if (await hasBlob(repository, blob.digest, { signal })) return
            if (session) [session, offset] = await takeUp(session, blob, signal)
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

  /** Where to go on after a failure: where the registry says, else from the beginning. */
  async function takeUp(
    session: Session,
    blob: BlobContent,
    signal: AbortSignal | undefined,
  ): Promise<[Session | undefined, number]> {
    const offset = await sessions.offsetOf(session, signal)
    // Where the whole is to go without a range, an upload without bytes is as good as none.
    const isUsable = offset !== undefined && (offset > 0 || !provider.uploadByPatch)
    if (isUsable && offset <= blob.size) return [session, offset]
    await cancel(session)
    return [undefined, 0]
  }
}
