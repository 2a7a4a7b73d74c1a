import type { ParsedManifest } from '../oci/manifest.ts'
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

/** What it refers to. */
export function edgesOf(
  repository: number,
  manifest: number,
  parsed: ParsedManifest,
): NewRow<'manifest_ref'>[] {
  return parsed.edges.map(({ kind, descriptor }, position) => ({
    repository,
    parent: manifest,
    position,
    child: descriptor.digest,
    kind,
    descriptor: JSON.stringify(descriptor.raw),
  }))
}
