import { type Digest, hexOf } from '../oci/digest.ts'
import type { JsonObject } from '../oci/json.ts'
import type { ChartMetadata } from './chart-yaml.ts'

/*
 * Entries of `index.yaml` (helm.sh/docs, "The Chart Repository Guide"). They are kept as one line
 * of JSON, which is YAML, with every type spelled out: in plain YAML `1.10`, `yes` and dates would
 * be read as something else, and Helm refuses the whole index for one such field.
 */

export interface EntryOf {
  metadata: ChartMetadata
  fileName: string
  archiveDigest: Digest
  /** Epoch milliseconds. */
  createdAt: number
}

/** A version of a chart as `index.yaml` and the ChartMuseum API show it. */
export type ChartEntry = JsonObject & {
  name: string
  version: string
  urls: string[]
  created: string
  digest: string
}

export function renderEntry({ metadata, fileName, archiveDigest, createdAt }: EntryOf): string {
  return yamlSafe(
    JSON.stringify({
      ...metadata,
      urls: [`charts/${fileName}`],
      created: new Date(createdAt).toISOString(),
      digest: hexOf(archiveDigest),
    }),
  )
}

export function parseEntry(entry: string): ChartEntry {
  return JSON.parse(entry) as ChartEntry
}

/** Of the archives of a chart, as `helm package` names them. */
export function fileNameOf(name: string, version: string): string {
  return `${name}-${version}.tgz`
}

/** Escapes what JSON may hold raw and YAML's printable set does not (YAML 1.1, 5.1). */
function yamlSafe(json: string): string {
  return json.replace(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

export interface IndexRow {
  name: string
  entry: string
}

/**
 * `index.yaml` of entries that are sorted by name and within a name from the newest version on.
 *
 * @param contextPath where the ChartMuseum API is: `helm cm-push` computes its address from it
 */
export function renderIndex(
  rows: readonly IndexRow[],
  { generatedAt, contextPath }: { generatedAt: number; contextPath: string | undefined },
): string {
  const serverInfo = contextPath === undefined ? {} : { contextPath }
  const lines = [
    'apiVersion: v1',
    `generated: "${new Date(generatedAt).toISOString()}"`,
    `serverInfo: ${JSON.stringify(serverInfo)}`,
    rows.length === 0 ? 'entries: {}' : 'entries:',
  ]
  let name: string | undefined
  for (const row of rows) {
    if (row.name !== name) lines.push(`  ${JSON.stringify(row.name)}:`)
    name = row.name
    lines.push(`  - ${row.entry}`)
  }
  lines.push('')
  return lines.join('\n')
}

/** The same entries as ChartMuseum lists them. */
export function renderJson(rows: readonly IndexRow[]): string {
  const charts = new Map<string, string[]>()
  for (const { name, entry } of rows) {
    const versions = charts.get(name) ?? []
    versions.push(entry)
    charts.set(name, versions)
  }
  const members = [...charts].map(([name, versions]) => `${JSON.stringify(name)}:[${versions}]`)
  return `{${members}}`
}
