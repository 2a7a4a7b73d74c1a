import { AppError } from '../lib/errors.ts'
import { parseDigest } from '../oci/digest.ts'
import { type ManifestEdge, mayBeAbsent, type ParsedManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db, Tx } from '../store/db/database.ts'
import type { Engine } from '../store/db/engine.ts'
import { LIVE, statements } from '../store/db/prepared.ts'
import { chunked } from './chunked.ts'
import type { OpenRepository } from './repository-openings.ts'

/**
 * Every child of these manifests that must be there, is there, and stays until we commit. An index
 * may be sparse, and an image where the settings say so: returns of each manifest how many of its
 * children are missing.
 */
export async function lockChildren(
  db: Db,
  tx: Tx,
  repository: OpenRepository,
  manifests: readonly ParsedManifest[],
  sparse: boolean,
): Promise<number[]> {
  const present = await lockBlobs(db, tx, repository.id, manifests.flatMap(childrenOf))
  const missing = manifests.map((parsed) => {
    const required = requiredOf(parsed).filter((digest) => !present.has(digest))
    if (required.length > 0 && !sparse) throw blobsMissing(repository.name, required)
    demandTrueSizes(parsed.edges, present)
    return required.length
  })
  for (const children of chunked([...present.values()].sort(byLockOrder))) {
    await forEngine(db.engine).markReferenced(tx, children)
  }
  const indexes = manifests.filter(({ kind }) => kind !== 'image')
  const parts = await manifestsPresent(tx, repository.id, indexes.flatMap(childrenOf))
  return manifests.map((parsed, i) => {
    if (parsed.kind === 'image') return missing[i] ?? 0
    const isThere = (digest: string) => present.has(digest) || parts.has(digest)
    return new Set(childrenOf(parsed).filter((digest) => !isThere(digest))).size
  })
}

function childrenOf({ edges }: ParsedManifest): string[] {
  return edges.filter(({ kind }) => kind !== 'subject').map(({ descriptor }) => descriptor.digest)
}

/** Without doubles. */
function requiredOf({ kind, edges }: ParsedManifest): string[] {
  const required = edges
    .filter((edge) => kind === 'image' && !mayBeAbsent(edge))
    .map(({ descriptor }) => descriptor.digest)
    // Of an algorithm that we cannot compute nothing can be stored.
    .filter((digest) => parseDigest(digest) !== undefined)
  return [...new Set(required)]
}

/** A blob of the repository, of which a manifest is a parent. */
interface Child {
  repository: number
  digest: string
}

interface PresentChild extends Child {
  content: number
  size: number
}

/** Those of the blobs that are there, by digest. */
async function lockBlobs(
  db: Db,
  tx: Tx,
  repository: number,
  wanted: readonly string[],
): Promise<Map<string, PresentChild>> {
  const present = new Map<string, PresentChild>()
  for (const digests of chunked([...new Set(wanted)])) {
    const children = digests.map((digest) => ({ repository, digest }))
    for (const row of await forEngine(db.engine).lockBlobs(tx, children)) {
      present.set(row.digest, { ...row, repository })
    }
  }
  return present
}

/** By content, then by digest: so everybody locks the blobs of a repository. */
function byLockOrder(a: PresentChild, b: PresentChild): number {
  return a.content - b.content || (a.digest < b.digest ? -1 : 1)
}

const byEngine = new Map<Engine, ReturnType<typeof prepareFor>>()

function forEngine(engine: Engine) {
  let prepared = byEngine.get(engine)
  if (!prepared) {
    prepared = prepareFor(engine)
    byEngine.set(engine, prepared)
  }
  return prepared
}

/** Statements about children of one repository. */
function prepareFor(engine: Engine) {
  const digestsOf = (children: Child[]) => children.map(({ digest }) => digest)
  return {
    /** The content of each before what shows it: in this order a commit and the collector lock. */
    lockBlobs: statements((on, children: Child[]) =>
      engine.lockRows(
        on
          .selectFrom('content')
          .innerJoin('repository_blob', 'repository_blob.content', 'content.id')
          .select(['repository_blob.digest', 'content.id as content', 'content.size'])
          .where('repository_blob.repository', '=', children[0]?.repository ?? 0)
          .where('repository_blob.digest', 'in', digestsOf(children))
          .where('content.state', '=', LIVE)
          .orderBy('content.id')
          .orderBy('repository_blob.digest'),
        'keyShare',
      ),
    ),
    /** An update takes its rows in the order in which it finds them, so they are locked first. */
    markReferenced: statements(
      (on, children: Child[]) =>
        on
          .updateTable('repository_blob')
          .set({ unreferenced_since: null })
          .where('repository', '=', children[0]?.repository ?? 0)
          .where(
            engine.among(
              'digest',
              engine.lockRows(
                on
                  .selectFrom('repository_blob as child')
                  .select('child.digest')
                  .where('child.repository', '=', children[0]?.repository ?? 0)
                  .where('child.digest', 'in', digestsOf(children))
                  .where('child.unreferenced_since', 'is not', null)
                  .orderBy('child.content')
                  .orderBy('child.digest'),
                'noKeyUpdate',
              ),
            ),
          ),
      { deferred: true },
    ),
  }
}

/** A client that pulls by a size which is not that of the blob gives up. */
function demandTrueSizes(edges: ManifestEdge[], present: Map<string, { size: number }>): void {
  for (const { descriptor, kind } of edges) {
    if (kind === 'subject') continue
    const size = present.get(descriptor.digest)?.size
    if (size === undefined || size === descriptor.size) continue
    throw new AppError(
      'manifest_invalid',
      `the manifest is invalid: it says that ${descriptor.digest} has ${descriptor.size} bytes, but it has ${size}`,
    )
  }
}

async function manifestsPresent(
  tx: Tx,
  repository: number,
  wanted: string[],
): Promise<Set<string>> {
  const present = new Set<string>()
  for (const digests of chunked([...new Set(wanted)])) {
    const rows = await tx
      .selectFrom('manifest')
      .select('digest')
      .where('repository', '=', repository)
      .where('digest', 'in', digests)
      .where('state', '=', LIVE)
      .execute()
    for (const row of rows) present.add(row.digest)
  }
  return present
}

function blobsMissing(name: RepositoryName, missing: string[]): AppError {
  const [first] = missing
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : ''
  return new AppError(
    'manifest_blob_unknown',
    `the manifest refers to blob ${first}${more}, which repository "${name.full}" does not have; push the blobs first`,
    {
      problems: missing.slice(0, 100).map((digest) => ({
        message: `blob ${digest} is not in repository "${name.full}"`,
        detail: { digest },
      })),
    },
  )
}
