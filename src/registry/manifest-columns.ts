import type { ParsedManifest } from '../oci/manifest.ts'
import { statements } from '../store/db/prepared.ts'
import type { NewRow } from '../store/db/schema.ts'

/* What the row of a manifest says of its bytes, so that nobody has to parse them again. */

export function columnsOf(parsed: ParsedManifest) {
  return {
    media_type: parsed.mediaType,
    artifact_type: parsed.artifactType ?? null,
    kind: parsed.kind,
    subject: parsed.subject?.digest ?? null,
    annotations: parsed.annotations ? JSON.stringify(parsed.annotations) : null,
  }
}

interface ManifestRow extends ReturnType<typeof columnsOf> {
  repository: number
  digest: string
  content: number
  size: number
  actor: number | null
  now: number
  configMediaType: string | null
  imageSize: number
  details: string | null
}

/** What is missing in the answer, the repository has already. */
export const insertManifests = statements((on, rows: ManifestRow[]) =>
  on
    .insertInto('manifest')
    .values(
      rows.map((row) => ({
        repository: row.repository,
        digest: row.digest,
        content: row.content,
        media_type: row.media_type,
        artifact_type: row.artifact_type,
        kind: row.kind,
        subject: row.subject,
        annotations: row.annotations,
        size: row.size,
        untagged_since: row.now,
        pushed_by: row.actor,
        created_at: row.now,
        config_media_type: row.configMediaType,
        image_size: row.imageSize,
        details: row.details,
        // Counted by `relist` when the tags and parents are known.
        listed: 0,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning(['id', 'digest']),
)

type Edge = Pick<
  NewRow<'manifest_ref'>,
  'repository' | 'parent' | 'position' | 'child' | 'kind' | 'descriptor'
>

export const insertEdges = statements(
  (on, edges: Edge[]) =>
    on.insertInto('manifest_ref').values(
      edges.map((edge) => ({
        repository: edge.repository,
        parent: edge.parent,
        position: edge.position,
        child: edge.child,
        kind: edge.kind,
        descriptor: edge.descriptor,
      })),
    ),
  { deferred: true },
)

/** What it refers to. */
export function edgesOf(repository: number, manifest: number, parsed: ParsedManifest): Edge[] {
  return parsed.edges.map(({ kind, descriptor }, position) => ({
    repository,
    parent: manifest,
    position,
    child: descriptor.digest,
    kind,
    descriptor: JSON.stringify(descriptor.raw),
  }))
}
