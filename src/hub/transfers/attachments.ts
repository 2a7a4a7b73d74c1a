import { because } from '../../lib/reasons.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import type { CopyObserver, CopySide } from './copy-types.ts'
import type { SourceTree } from './source-tree.ts'

/*
 * What is attached to a manifest: whatever names it as its subject (distribution-spec, "Listing
 * Referrers"), and what cosign keeps under tags that are made of the digest.
 */

/** Signatures of signatures of …; more is nobody's intention (distribution-spec has no bound). */
const DEPTH_LIMIT = 8
const COSIGN_SUFFIXES = ['sig', 'att', 'sbom'] as const

/** A tag that belongs to a manifest, not to people. */
export interface AttachedTag {
  tag: string
  digest: Digest
}

/**
 * Adds to the tree what is attached to `digests`, and what is attached to that. The referrers' own
 * fallback tags are not copied: they list what is copied, and a target that needs them keeps its own.
 */
export async function addAttachments(
  tree: SourceTree,
  { registry, repository }: CopySide,
  digests: readonly Digest[],
  { signal, note }: { signal?: AbortSignal | undefined; note?: CopyObserver['note'] },
): Promise<AttachedTag[]> {
  const tags: AttachedTag[] = []
  const seen = new Set<Digest>(digests)

  async function referrersOf(subject: Digest): Promise<Digest[]> {
    const found = await registry.listReferrers(repository, subject, { signal })
    const taken: Digest[] = []
    for (const { digest: text } of found) {
      const digest = parseDigest(text)
      if (!digest || seen.has(digest)) continue
      // A list is no proof: a fallback tag can be written by anybody who may push.
      if ((await tree.peek(digest))?.subject?.digest !== subject) continue
      await tree.add(digest)
      seen.add(digest)
      taken.push(digest)
    }
    return taken
  }

  async function cosignOf(subject: Digest): Promise<Digest[]> {
    if (!subject.startsWith('sha256:')) return []
    const taken: Digest[] = []
    for (const suffix of COSIGN_SUFFIXES) {
      const tag = `${subject.replace(':', '-')}.${suffix}`
      const found = await registry.resolveManifest(repository, { kind: 'tag', tag }, { signal })
      if (!found) continue
      tags.push({ tag, digest: await tree.add(found.digest) })
      if (seen.has(found.digest)) continue
      seen.add(found.digest)
      taken.push(found.digest)
    }
    return taken
  }

  let level = [...digests]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === DEPTH_LIMIT) {
      note?.(
        `what is attached more than ${DEPTH_LIMIT} levels deep was left out`,
        because('note_too_deep', { most: DEPTH_LIMIT }).reason,
      )
      break
    }
    const next: Digest[] = []
    for (const digest of level) {
      signal?.throwIfAborted()
      next.push(...(await referrersOf(digest)), ...(await cosignOf(digest)))
    }
    level = next
  }
  return tags
}
