import { AppError } from '../../lib/errors.ts'
import { createLimit } from '../../lib/limit.ts'
import { because } from '../../lib/reasons.ts'
import { algorithmOf, type Digest } from '../../oci/digest.ts'
import type { ManifestContent } from '../../oci/registry.ts'
import { type AttachedTag, addAttachments } from './attachments.ts'
import type { CopyRequest, CopyResult } from './copy-types.ts'
import { moveBlobs } from './move-blobs.ts'
import { namesOfContent } from './names-of-content.ts'
import { createSourceTree, type SourceTree, type TreeNode } from './source-tree.ts'

const WRITES_AT_ONCE = 4

/**
 * Copies an image from one registry to another, either of them ours or a remote one: first the
 * blobs, then manifests from the inside out, then what is attached, and when all of it has arrived
 * the tag. The tag of the source is resolved once; whatever becomes of it later, that is copied.
 *
 * Doing it again costs what is missing: manifests and blobs that the target has are not sent, and
 * with a checkpoint blobs are gone on with in the middle.
 *
 * @throws AppError of the registry that refused, or of the source's content
 */
export async function copyImage(request: CopyRequest): Promise<CopyResult> {
  const { source, target, platforms, signal, observer } = request
  const asked = await resolve(request)
  observer?.resolved?.(asked)

  const tree = createSourceTree(source, signal)
  const rewrite = request.index === 'rewrite'
  const root = await tree.add(asked, platforms && { platforms, rewrite })
  await demandTag(request, root, tree.nodes.get(root)?.content)
  const inside = [...tree.nodes.values()]
  const tags = request.referrers ? await attachedTo(request, tree, root, asked) : []

  const { blobs, nodes } = tree
  observer?.planned?.({
    manifests: nodes.size,
    blobs: [...blobs].map(([digest, size]) => ({ digest, size })),
  })
  await moveBlobs(request, blobs)
  const attached = [...nodes.values()].slice(inside.length)
  const top = nodes.get(root)
  // What is attached may be refused before its subject is there, and what comes by tag gets its
  // sha256 as digest; else the tag brings it along.
  const isAlone = attached.length === 0 && tags.length === 0
  const isByTag = target.tag !== undefined && isAlone && algorithmOf(root) === 'sha256'
  await writeInside(request, isByTag ? inside.filter((node) => node !== top) : inside)
  await writeAttached(request, attached, tags, nodes)
  if (target.tag !== undefined && top) await setTag(request, top, target.tag)
  return { digest: root, manifests: nodes.size, blobs: blobs.size }
}

async function resolve({ source, signal }: CopyRequest): Promise<Digest> {
  const { registry, repository, reference, label } = source
  if (reference.kind === 'digest') return reference.digest
  const found = await registry.resolveManifest(repository, reference, { signal })
  if (found) return found.digest
  throw new AppError(
    'manifest_unknown',
    `${label} has no tag "${reference.tag}"`,
    because('remote_manifest_absent', { name: label, reference: reference.tag }),
  )
}

/** Told before anything is sent, since that may take hours. It is asked again at the end. */
async function demandTag(
  request: CopyRequest,
  digest: Digest,
  content: ManifestContent | undefined,
): Promise<void> {
  const { target, overwrite = true, signal } = request
  if (target.tag === undefined || overwrite) return
  const reference = { kind: 'tag', tag: target.tag } as const
  const call = { signal }
  const found = await target.registry.resolveManifest(target.repository, reference, call)
  if (!found || found.digest === digest) return
  if (content && namesOfContent(content.bytes).includes(found.digest)) return
  throw new AppError(
    'conflict',
    `tag "${target.tag}" of ${target.label} is there with another digest, ${found.digest}, and was not to be overwritten`,
    because('transfer_tag_taken', { name: target.tag, where: target.label }),
  )
}

/** What is signed is a digest: the parts of a rewritten index keep theirs, it does not. */
async function attachedTo(
  { source, signal, observer }: CopyRequest,
  tree: SourceTree,
  root: Digest,
  asked: Digest,
): Promise<AttachedTag[]> {
  const digests = [...tree.nodes.keys()].filter((digest) => digest === asked || digest !== root)
  if (root !== asked) {
    observer?.note?.(
      'the index was written anew for the chosen platforms, so what was attached to the old one was left out',
      because('note_index_rewritten', {}).reason,
    )
  }
  return addAttachments(tree, source, digests, {
    signal,
    ...(observer?.note ? { note: observer.note } : {}),
  })
}

/** From the inside out: an index comes after all that it lists. */
async function writeInside(request: CopyRequest, nodes: readonly TreeNode[]): Promise<void> {
  const limit = createLimit(WRITES_AT_ONCE)
  const levels = Map.groupBy(nodes, ({ height }) => height)
  for (const height of [...levels.keys()].sort((a, b) => a - b)) {
    const level = levels.get(height) ?? []
    await Promise.all(level.map((node) => limit(() => write(request, node))))
  }
}

/** One after the other: where a registry has no referrers API they share a fallback tag. */
async function writeAttached(
  request: CopyRequest,
  nodes: readonly TreeNode[],
  tags: readonly AttachedTag[],
  all: SourceTree['nodes'],
): Promise<void> {
  for (const node of nodes) await write(request, node)
  for (const { tag, digest } of tags) {
    const node = all.get(digest)
    if (node) await setTag(request, node, tag)
  }
}

/** ECR refuses a manifest that it has already, so one is not sent twice. */
async function write({ target, signal }: CopyRequest, { content }: TreeNode): Promise<void> {
  signal?.throwIfAborted()
  const { registry, repository } = target
  const reference = { kind: 'digest', digest: content.digest } as const
  if (await registry.resolveManifest(repository, reference, { signal })) return
  await registry.writeManifest(repository, content, { signal })
}

async function setTag(request: CopyRequest, { content }: TreeNode, tag: string): Promise<void> {
  const { target, signal } = request
  signal?.throwIfAborted()
  if (tag === target.tag) await demandTag(request, content.digest, content)
  const { registry, repository } = target
  const found = await registry.resolveManifest(repository, { kind: 'tag', tag }, { signal })
  if (found?.digest === content.digest) return
  await registry.writeManifest(repository, content, { signal, tag })
}
