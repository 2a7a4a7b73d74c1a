import { AppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { because } from '../../lib/reasons.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import {
  type Descriptor,
  MANIFEST_SIZE_LIMIT,
  ManifestError,
  type ParsedManifest,
  parseManifest,
} from '../../oci/manifest.ts'
import { isNondistributable, kindOfMediaType } from '../../oci/media-types.ts'
import type { ManifestContent } from '../../oci/registry.ts'
import type { CopySide } from './copy-types.ts'
import { chooseChildren, type Platform, rewriteIndex } from './platforms.ts'

/*
 * Reads what a digest stands for: a tree of manifests with the blobs they need. Everything is by
 * digest, so nothing moves while it is read.
 */

/** Indexes within indexes; real ones have one level. */
const DEPTH_LIMIT = 8
const MANIFEST_LIMIT = 5_000
const BLOB_LIMIT = 50_000
/** Manifests are held in memory until they are written. */
const MANIFEST_BYTES_LIMIT = 64 * 1024 * 1024
const READS_AT_ONCE = 4

/** A manifest as it was read, with what hangs below it. */
export interface TreeNode {
  content: ManifestContent
  parsed: ParsedManifest
  /** Longest way down to a manifest without manifests below it. */
  height: number
}

export interface SourceTree {
  /** By digest, each once, those below before those above. */
  readonly nodes: ReadonlyMap<Digest, TreeNode>
  readonly blobs: ReadonlyMap<Digest, number>
  /** Adds what `digest` stands for. `choose`: of the children of this very index, only these. */
  add(
    digest: Digest,
    choose?: { platforms: readonly Platform[]; rewrite: boolean },
  ): Promise<Digest>
  /** What a manifest says, without adding it. undefined: the source has no such manifest. */
  peek(digest: Digest): Promise<ParsedManifest | undefined>
}

/** @throws AppError what is wrong with the source, or with what it holds */
export function createSourceTree(source: CopySide, signal: AbortSignal | undefined): SourceTree {
  const { registry, repository, label } = source
  const nodes = new Map<Digest, TreeNode>()
  const blobs = new Map<Digest, number>()
  const running = new Map<Digest, Promise<number>>()
  const peeked = new Map<Digest, ManifestContent>()
  const limit = createLimit(READS_AT_ONCE)
  let held = 0

  const fail = (code: 'manifest_invalid' | 'manifest_unknown' | 'too_large', message: string) => {
    throw new AppError(code, `${label}: ${message}`)
  }

  function read(digest: Digest): Promise<ManifestContent | undefined> {
    return limit(() => registry.readManifest(repository, { kind: 'digest', digest }, { signal }))
  }

  function parse(content: ManifestContent): ParsedManifest {
    if (content.bytes.length > MANIFEST_SIZE_LIMIT) {
      fail('too_large', `manifest ${content.digest} is larger than ${MANIFEST_SIZE_LIMIT} bytes`)
    }
    try {
      return parseManifest(content.bytes, content.mediaType)
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error
      throw new AppError(
        'manifest_invalid',
        `${label}: manifest ${content.digest} is invalid: ${error.message}`,
        {},
        error,
      )
    }
  }

  function keep(content: ManifestContent, parsed: ParsedManifest, height: number): void {
    held += content.bytes.length
    if (nodes.size >= MANIFEST_LIMIT) {
      fail('too_large', `the image consists of more than ${MANIFEST_LIMIT} manifests`)
    }
    if (held > MANIFEST_BYTES_LIMIT) {
      fail('too_large', `its manifests have more than ${MANIFEST_BYTES_LIMIT} bytes together`)
    }
    nodes.set(content.digest, { content, parsed, height })
  }

  function addBlob({ digest: text, size }: Descriptor): void {
    const digest = parseDigest(text)
    if (!digest) {
      throw new AppError(
        'digest_invalid',
        `${label}: the digest ${text.slice(0, 100)} is of a kind that cannot be checked`,
      )
    }
    const known = blobs.get(digest)
    if (known !== undefined && known !== size) {
      fail('manifest_invalid', `its manifests give ${digest} the sizes ${known} and ${size}`)
    }
    if (known === undefined && blobs.size >= BLOB_LIMIT) {
      fail('too_large', `the image consists of more than ${BLOB_LIMIT} blobs`)
    }
    blobs.set(digest, size)
  }

  /** Layers that stay with their vendor are nobody's to copy; the manifest says where they are. */
  async function addImageBlobs(parsed: ParsedManifest): Promise<void> {
    for (const { kind, descriptor } of parsed.edges) {
      if (kind === 'subject') continue
      if (kind === 'layer' && isNondistributable(descriptor.mediaType)) continue
      if (kind === 'layer' && (descriptor.urls?.length ?? 0) > 0) {
        const digest = parseDigest(descriptor.digest)
        const call = { signal }
        if (!digest || !(await limit(() => registry.hasBlob(repository, digest, call)))) continue
      }
      addBlob(descriptor)
    }
  }

  /**
   * What an index lists is a manifest, or a blob of BuildKit's cache. The media type tells; one
   * that nobody knows is tried as a manifest first. Returns the height of a manifest, -1 of a blob.
   */
  async function addChild(descriptor: Descriptor, depth: number): Promise<number> {
    const digest = parseDigest(descriptor.digest)
    if (!digest) {
      addBlob(descriptor)
      return -1
    }
    const isManifest = kindOfMediaType(descriptor.mediaType) !== undefined
    if (!isManifest && /\.layer\.|\.rootfs\.|cacheconfig|\.config\./.test(descriptor.mediaType)) {
      addBlob(descriptor)
      return -1
    }
    const height = await addManifest(digest, depth)
    if (height !== undefined) return height
    const call = { signal }
    if (!isManifest && (await limit(() => registry.hasBlob(repository, digest, call)))) {
      addBlob(descriptor)
      return -1
    }
    throw new AppError(
      'manifest_unknown',
      `${label} has no ${digest}, which its index lists; choose the platforms that it has`,
      because('transfer_incomplete', { name: label }),
    )
  }

  /** Its height; undefined: the source has no such manifest. */
  function addManifest(digest: Digest, depth: number): Promise<number | undefined> {
    // Never in a circle: what is read has the digest by which it was asked for.
    if (depth > DEPTH_LIMIT) {
      fail('manifest_invalid', `its indexes are nested more than ${DEPTH_LIMIT} deep`)
    }
    const known = nodes.get(digest)
    if (known) return Promise.resolve(known.height)
    const flight = running.get(digest) ?? readInto(digest, depth)
    running.set(digest, flight)
    return flight.catch((error: unknown) => {
      if (error === ABSENT) return undefined
      throw error
    })
  }

  async function readInto(digest: Digest, depth: number): Promise<number> {
    const content = peeked.get(digest) ?? (await read(digest))
    if (!content) throw ABSENT
    peeked.delete(digest)
    const parsed = parse(content)
    const height = await addParts(parsed, depth + 1)
    keep(content, parsed, height)
    return height
  }

  async function addParts(
    parsed: ParsedManifest,
    depth: number,
    children = childrenOf(parsed),
  ): Promise<number> {
    if (parsed.kind === 'image') {
      await addImageBlobs(parsed)
      return 0
    }
    const heights = await Promise.all(children.map((child) => addChild(child, depth)))
    return Math.max(0, ...heights.map((height) => height + 1))
  }

  return {
    nodes,
    blobs,
    async peek(digest) {
      const known = nodes.get(digest)
      if (known) return known.parsed
      const content = await read(digest)
      if (!content) return undefined
      const parsed = parse(content)
      peeked.set(digest, content)
      return parsed
    },
    async add(digest, choose) {
      if (!choose) {
        if ((await addManifest(digest, 0)) === undefined) throw gone(label, digest)
        return digest
      }
      const content = await read(digest)
      if (!content) throw gone(label, digest)
      const parsed = parse(content)
      if (parsed.kind === 'image') {
        await addManifest(digest, 0)
        return digest
      }
      const children = childrenOf(parsed)
      const kept = chooseChildren(children, choose.platforms)
      const height = await addParts(parsed, 1, kept)
      if (!choose.rewrite || kept.length === children.length) {
        keep(content, parsed, height)
        return digest
      }
      const rewritten = rewrittenIndex(content, kept)
      keep(rewritten, parse(rewritten), height)
      return rewritten.digest
    },
  }
}

/** Thrown within this file only: single-flight readers share one promise. */
const ABSENT = new Error('absent')

function childrenOf(parsed: ParsedManifest): Descriptor[] {
  return parsed.edges.filter(({ kind }) => kind === 'manifest').map(({ descriptor }) => descriptor)
}

function rewrittenIndex(content: ManifestContent, kept: readonly Descriptor[]): ManifestContent {
  const bytes = rewriteIndex(content.bytes, kept)
  const digest = `sha256:${Bun.CryptoHasher.hash('sha256', bytes, 'hex')}` as Digest
  return { digest, mediaType: content.mediaType, bytes }
}

function gone(label: string, digest: Digest): AppError {
  return new AppError(
    'manifest_unknown',
    `${label} has no manifest ${digest}`,
    because('remote_manifest_absent', { name: label, reference: digest }),
  )
}
