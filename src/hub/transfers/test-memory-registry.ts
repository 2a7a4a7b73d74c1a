import { AppError } from '../../lib/errors.ts'
import { type Digest, toDigest } from '../../oci/digest.ts'
import { parseManifest } from '../../oci/manifest.ts'
import type { BlobContent, ManifestContent, OpenBlob, Registry } from '../../oci/registry.ts'

/*
 * A registry in memory that counts the bytes it is sent and breaks where a test says: repositories
 * are kept apart as real ones do, and uploads keep what arrived.
 */

interface Repository {
  blobs: Map<Digest, Uint8Array>
  manifests: Map<Digest, ManifestContent>
  tags: Map<string, Digest>
}

export interface MemoryRegistry extends Registry {
  repository(name: string): Repository
  /** Bytes of each blob that arrived here, those of uploads that broke off too. */
  received: Map<Digest, number>
  /** What was written, in order: `blob …`, `manifest …`, `tag …`, `mount …`. */
  written: string[]
  /** Thrown once, when so many bytes of the blob have been read here or have arrived here. */
  breakRead(digest: Digest, at: number, error?: Error): void
  breakWrite(digest: Digest, at: number, error?: Error): void
  /** Called before each step; may throw, move a tag, … */
  onStep: ((step: string) => void | Promise<void>) | undefined
  /** Blobs that were written at once; `mostRead`: of which bytes were yet to be read. */
  mostAtOnce: number
  mostRead: number
}

const CHUNK = 16 * 1024

export function createMemoryRegistry({ immutable = false } = {}): MemoryRegistry {
  const repositories = new Map<string, Repository>()
  const received = new Map<Digest, number>()
  const written: string[] = []
  const readBreaks = new Map<Digest, { at: number; error: Error }>()
  const writeBreaks = new Map<Digest, { at: number; error: Error }>()
  const uploads = new Map<string, Uint8Array[]>()
  let running = 0
  let reading = 0
  let opened = 0

  function repository(name: string): Repository {
    const found = repositories.get(name) ?? {
      blobs: new Map(),
      manifests: new Map(),
      tags: new Map(),
    }
    repositories.set(name, found)
    return found
  }

  const step = async (text: string, signal: AbortSignal | undefined) => {
    signal?.throwIfAborted()
    await registry.onStep?.(text)
    await Bun.sleep(0)
  }

  function due(breaks: typeof readBreaks, digest: Digest, offset: number): Error | undefined {
    const found = breaks.get(digest)
    if (!found || offset < found.at) return undefined
    breaks.delete(digest)
    return found.error
  }

  function manifestOf(name: string, reference: Parameters<Registry['readManifest']>[1]) {
    const { tags, manifests } = repository(name)
    const digest = reference.kind === 'tag' ? tags.get(reference.tag) : reference.digest
    return digest === undefined ? undefined : manifests.get(digest)
  }

  async function receive(
    blob: BlobContent,
    open: OpenBlob,
    call: Parameters<Registry['writeBlob']>[3],
  ) {
    const session =
      call?.session !== undefined && uploads.has(call.session) ? call.session : `upload-${++opened}`
    const chunks = uploads.get(session) ?? []
    uploads.set(session, chunks)
    await call?.onSession?.(session)
    let offset = chunks.reduce((sum, { length }) => sum + length, 0)
    for await (const chunk of await open(offset, call?.signal)) {
      call?.signal?.throwIfAborted()
      chunks.push(chunk)
      offset += chunk.length
      received.set(blob.digest, (received.get(blob.digest) ?? 0) + chunk.length)
      call?.onProgress?.(offset)
      const error = due(writeBreaks, blob.digest, offset)
      if (error) throw error
    }
    uploads.delete(session)
    return Buffer.concat(chunks)
  }

  const registry: MemoryRegistry = {
    repository,
    received,
    written,
    onStep: undefined,
    mostAtOnce: 0,
    mostRead: 0,
    breakRead: (digest, at, error = broken()) => readBreaks.set(digest, { at, error }),
    breakWrite: (digest, at, error = broken()) => writeBreaks.set(digest, { at, error }),

    async resolveManifest(name, reference, call) {
      await step(
        `resolve ${reference.kind === 'tag' ? reference.tag : reference.digest}`,
        call?.signal,
      )
      const found = manifestOf(name, reference)
      return found && { ...found, size: found.bytes.length }
    },
    async readManifest(name, reference, call) {
      await step(
        `read ${reference.kind === 'tag' ? reference.tag : reference.digest}`,
        call?.signal,
      )
      return manifestOf(name, reference)
    },
    async writeManifest(name, manifest, { tag, signal } = {}) {
      await step(`write ${tag ?? manifest.digest}`, signal)
      const { blobs, manifests, tags } = repository(name)
      const parsed = parseManifest(manifest.bytes, manifest.mediaType)
      for (const { kind, descriptor } of parsed.edges) {
        const digest = descriptor.digest as Digest
        const isForeign = descriptor.mediaType.includes('foreign')
        const needs = kind === 'config' || (kind === 'layer' && !isForeign)
        if (needs && !blobs.has(digest)) throw new AppError('manifest_blob_unknown', `no ${digest}`)
      }
      const before = tag === undefined ? undefined : tags.get(tag)
      if (immutable && before !== undefined && before !== manifest.digest) {
        throw new AppError('immutable', `tag "${tag}" is immutable`)
      }
      manifests.set(manifest.digest, manifest)
      if (tag !== undefined) tags.set(tag, manifest.digest)
      written.push(tag === undefined ? `manifest ${manifest.digest}` : `tag ${tag}`)
    },
    async hasBlob(name, digest, call) {
      await step(`has ${digest}`, call?.signal)
      return repository(name).blobs.has(digest)
    },
    async readBlob(name, { digest }, { offset = 0, signal } = {}) {
      await step(`get ${digest}`, signal)
      const bytes = repository(name).blobs.get(digest)
      if (!bytes) throw new AppError('blob_unknown', `no blob ${digest}`)
      let at = offset
      registry.mostRead = Math.max(registry.mostRead, ++reading)
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          await Bun.sleep(0)
          const error = due(readBreaks, digest, at)
          if (error) return controller.error(error)
          if (at >= bytes.length) return controller.close()
          controller.enqueue(bytes.slice(at, at + CHUNK))
          at += CHUNK
          if (at >= bytes.length) reading--
        },
      })
    },
    async mountBlob(name, digest, from, call) {
      await step(`mount ${digest}`, call?.signal)
      const sources = from === undefined ? [...repositories.values()] : [repository(from)]
      const bytes = sources.map(({ blobs }) => blobs.get(digest)).find(Boolean)
      if (!bytes) return false
      repository(name).blobs.set(digest, bytes)
      written.push(`mount ${digest}`)
      return true
    },
    async writeBlob(name, blob, open, call) {
      await step(`put ${blob.digest}`, call?.signal)
      registry.mostAtOnce = Math.max(registry.mostAtOnce, ++running)
      try {
        const bytes = new Uint8Array(await receive(blob, open, call))
        await step(`commit ${blob.digest}`, call?.signal)
        const digest = toDigest('sha256', Bun.CryptoHasher.hash('sha256', bytes, 'hex'))
        if (digest !== blob.digest) throw new AppError('digest_mismatch', `${digest} arrived`)
        repository(name).blobs.set(blob.digest, bytes)
        written.push(`blob ${blob.digest}`)
      } finally {
        running--
      }
    },
    async *listTags(name) {
      yield [...repository(name).tags.keys()]
    },
    async *listRepositories() {
      yield [...repositories.keys()]
    },
    async listReferrers(name, subject, options) {
      await step(`referrers ${subject}`, options?.signal)
      return [...repository(name).manifests.values()].flatMap(({ digest, mediaType, bytes }) => {
        const parsed = parseManifest(bytes, mediaType)
        if (parsed.subject?.digest !== subject) return []
        return [{ digest, mediaType, size: bytes.length, raw: {} }]
      })
    },
    async deleteTag(name, tag) {
      return repository(name).tags.delete(tag)
    },
    async deleteManifest(name, digest) {
      return repository(name).manifests.delete(digest)
    },
  }
  return registry
}

const broken = () => new AppError('unavailable', 'the connection was lost')
