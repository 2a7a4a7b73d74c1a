import { AppError, isAppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { because, type Says } from '../../lib/reasons.ts'
import type { Digest } from '../../oci/digest.ts'
import type { CopySide } from './copy-types.ts'
import { namesOfContent } from './names-of-content.ts'
import type { Platform } from './platforms.ts'
import { createSourceTree } from './source-tree.ts'

const LOOKS_AT_ONCE = 8

/** What somebody who looks for the image by its tag should know. */
export interface ArrivalNote {
  sentence: string
  says: Says
}

/**
 * Looks for itself whether an image is where somebody else says that he brought it: the tag, every
 * manifest below it, and every blob that these need. Bytes need no second look, since our registry
 * takes none that do not have their digest.
 *
 * @param platforms only these children of an index were to be brought
 * @param stoodFor whether the tag stood for one of these since the copy began: it is anybody's to
 *   move who may push, also before this looks
 * @returns that the tag stands for something else by now, if so
 * @throws AppError conflict with what is missing
 */
export async function verifyArrived(
  target: CopySide,
  {
    digest,
    tag,
    platforms,
    stoodFor,
  }: {
    digest: Digest
    tag: string | null
    platforms: readonly Platform[]
    stoodFor: (tag: string, digests: readonly Digest[]) => Promise<boolean>
  },
  signal: AbortSignal,
): Promise<ArrivalNote | undefined> {
  const { registry, repository, label } = target
  const missing = (what: string) =>
    new AppError(
      'conflict',
      `the runner says that it has copied the image, but ${what}`,
      because('transfer_not_arrived', { name: label }),
    )
  const note = tag === null ? undefined : await demandTag(tag)
  const tree = createSourceTree(target, signal)
  try {
    await tree.add(digest, platforms.length > 0 ? { platforms, rewrite: false } : undefined)
  } catch (error) {
    if (isAppError(error, 'manifest_unknown')) throw missing(error.message)
    throw error
  }
  const limit = createLimit(LOOKS_AT_ONCE)
  await Promise.all(
    [...tree.blobs.keys()].map((blob) =>
      limit(async () => {
        signal.throwIfAborted()
        if (await registry.hasBlob(repository, blob, { signal })) return
        throw missing(`${label} has no blob ${blob}`)
      }),
    ),
  )
  return note

  async function demandTag(name: string): Promise<ArrivalNote | undefined> {
    const found = await registry.resolveManifest(repository, { kind: 'tag', tag: name }, { signal })
    if (found?.digest === digest) return undefined
    const content = await registry.readManifest(repository, { kind: 'digest', digest }, { signal })
    const names = content ? namesOfContent(content.bytes) : [digest]
    if (found && names.includes(found.digest)) return undefined
    const wasSet = await stoodFor(name, names)
    if (!found) {
      if (!wasSet) throw missing(`${label} has no tag "${name}"`)
      return {
        sentence: `the image was copied, but somebody has deleted the tag "${name}" of ${label} since; it is there by its digest`,
        says: because('note_tag_deleted', { name, where: label }).reason,
      }
    }
    if (!wasSet) {
      throw missing(
        `the tag "${name}" of ${label} stands for ${found.digest} and not for ${digest}`,
      )
    }
    return {
      sentence: `the image was copied, but somebody has moved the tag "${name}" of ${label} to ${found.digest} since; it is there by its digest`,
      says: because('note_tag_moved', { name, where: label }).reason,
    }
  }
}
