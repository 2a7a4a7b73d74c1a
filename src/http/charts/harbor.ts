import type { ChartSummary, ChartVersion } from '../../charts/catalog.ts'
import { isJsonObject, type Json } from '../../oci/json.ts'

/*
 * What Harbor's own chart API (up to 2.7) answered where it was not ChartMuseum's: a list of charts
 * instead of a map of versions, and everything about a version at once.
 */

export function harborList({ name, totalVersions, latest, createdAt, updatedAt }: ChartSummary) {
  return {
    name: name.slice(name.lastIndexOf('/') + 1),
    total_versions: totalVersions,
    latest_version: latest.version,
    created: new Date(createdAt).toISOString(),
    updated: new Date(updatedAt).toISOString(),
    icon: latest.icon ?? '',
    home: latest.home ?? '',
    deprecated: latest.deprecated ?? false,
  }
}

export function harborDetails(
  { entry, fileName, provenanceDigest }: ChartVersion,
  { files, values }: { files: Record<string, string>; values: Json },
) {
  return {
    metadata: entry,
    dependencies: entry.dependencies ?? [],
    values: Object.fromEntries(flattened(values, '')),
    files,
    security: {
      signature: {
        signed: provenanceDigest !== null,
        prov_file: provenanceDigest === null ? '' : `charts/${fileName}.prov`,
      },
    },
    labels: [],
  }
}

/** Values by their whole path: `image.tag`. */
function flattened(values: Json, path: string): [string, Json][] {
  if (!isJsonObject(values)) return path === '' ? [] : [[path, values]]
  return Object.entries(values).flatMap(([name, value]) =>
    flattened(value, path === '' ? name : `${path}.${name}`),
  )
}
