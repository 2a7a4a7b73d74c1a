import type { ParsedManifest } from '../oci/manifest.ts'
import type { Tx } from '../store/db/database.ts'
import { chunked } from './chunked.ts'

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

/** What it refers to. */
export async function insertEdges(
  tx: Tx,
  repository: number,
  manifest: number,
  parsed: ParsedManifest,
): Promise<void> {
  const edges = parsed.edges.map(({ kind, descriptor }, position) => ({
    repository,
    parent: manifest,
    position,
    child: descriptor.digest,
    kind,
    descriptor: JSON.stringify(descriptor.raw),
  }))
  for (const rows of chunked(edges)) {
    await tx
      .insertInto('manifest_ref')
      .values(rows)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}
