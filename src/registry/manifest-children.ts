import { AppError } from '../lib/errors.ts'
import { parseDigest } from '../oci/digest.ts'
import { type ManifestEdge, mayBeAbsent, type ParsedManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Db, Tx } from '../store/db/database.ts'
import type { Engine } from '../store/db/engine.ts'
import { LIVE, statements } from '../store/db/prepared.ts'
import { chunked } from './chunked.ts'
import type { OpenRepository } from './repositories.ts'

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
  for (const digests of chunked([...present.keys()])) {
    await markReferenced(
      tx,
      digests.map((digest) => ({ repository: repository.id, digest })),
    )
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

/** Those of the blobs that are there, with their sizes. */
async function lockBlobs(
  db: Db,
  tx: Tx,
  repository: number,
  wanted: readonly string[],
): Promise<Map<string, number>> {
  const present = new Map<string, number>()
  for (const digests of chunked([...new Set(wanted)])) {
    const children = digests.map((digest) => ({ repository, digest }))
    for (const row of await blobsLock(db.engine)(tx, children)) present.set(row.digest, row.size)
  }
  return present
}

interface Child {
  repository: number
  digest: string
}

/** Of one repository. */
const markReferenced = statements(
  (on, children: Child[]) =>
    on
      .updateTable('repository_blob')
      .set({ unreferenced_since: null })
      .where('repository', '=', children[0]?.repository ?? 0)
      .where(
        'digest',
        'in',
        children.map(({ digest }) => digest),
      )
      .where('unreferenced_since', 'is not', null),
  { deferred: true },
)

const blobLocks = new Map<Engine, ReturnType<typeof prepareBlobsLock>>()

function blobsLock(engine: Engine) {
  let lock = blobLocks.get(engine)
  if (!lock) {
    lock = prepareBlobsLock(engine)
    blobLocks.set(engine, lock)
  }
  return lock
}

/** The content of each before what shows it: in this order a commit and the collector lock. */
function prepareBlobsLock(engine: Engine) {
  return statements((on, children: Child[]) =>
    engine.lockRows(
      on
        .selectFrom('content')
        .innerJoin('repository_blob', 'repository_blob.content', 'content.id')
        .select(['repository_blob.digest', 'content.size'])
        .where('repository_blob.repository', '=', children[0]?.repository ?? 0)
        .where(
          'repository_blob.digest',
          'in',
          children.map(({ digest }) => digest),
        )
        .where('content.state', '=', LIVE)
        .orderBy('content.id')
        .orderBy('repository_blob.digest'),
      'keyShare',
    ),
  )
}

/** A client that pulls by a size which is not that of the blob gives up. */
function demandTrueSizes(edges: ManifestEdge[], present: Map<string, number>): void {
  for (const { descriptor, kind } of edges) {
    if (kind === 'subject') continue
    const size = present.get(descriptor.digest)
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
