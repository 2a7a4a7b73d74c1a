import { AppError, isAppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { because } from '../../lib/reasons.ts'
import type { Digest } from '../../oci/digest.ts'
import type { CopySide } from './copy-types.ts'
import type { Platform } from './platforms.ts'
import { createSourceTree } from './source-tree.ts'

const LOOKS_AT_ONCE = 8

/**
 * Looks for itself whether an image is where somebody else says that he brought it: the tag, every
 * manifest below it, and every blob that these need. Bytes need no second look, since our registry
 * takes none that do not have their digest.
 *
 * @param platforms only these children of an index were to be brought
 * @throws AppError conflict with what is missing
 */
export async function verifyArrived(
  target: CopySide,
  {
    digest,
    tag,
    platforms,
  }: { digest: Digest; tag: string | null; platforms: readonly Platform[] },
  signal: AbortSignal,
): Promise<void> {
  const { registry, repository, label } = target
  const missing = (what: string) =>
    new AppError(
      'conflict',
      `the runner says that it has copied the image, but ${what}`,
      because('transfer_not_arrived', { name: label }),
    )
  if (tag !== null) {
    const found = await registry.resolveManifest(repository, { kind: 'tag', tag }, { signal })
    if (!found) throw missing(`${label} has no tag "${tag}"`)
    if (found.digest !== digest) {
      throw missing(
        `the tag "${tag}" of ${label} stands for ${found.digest} and not for ${digest}; somebody may have moved it since`,
      )
    }
  }
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
}
