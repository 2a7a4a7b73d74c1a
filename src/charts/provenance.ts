import { parseDocument } from 'yaml'
import { AppError } from '../lib/errors.ts'
import type { ChartMetadata } from './chart-yaml.ts'
import { parseChartYaml } from './chart-yaml.ts'
import { shown } from './tar.ts'

/*
 * Provenance files (helm.sh/docs, "Helm Provenance and Integrity"): Chart.yaml and the digests of
 * files in one signed message (RFC 4880 section 7). Who signed it is for `helm verify` to say, which
 * knows whom to trust; here it must only be about the chart that it comes with.
 */

export const PROVENANCE_LIMIT = 1024 * 1024

export interface Provenance {
  metadata: ChartMetadata
  /** Digests by file name: `sha256:…`. */
  files: Map<string, string>
}

/** @throws AppError invalid_input */
export function parseProvenance(bytes: Uint8Array): Provenance {
  if (bytes.length > PROVENANCE_LIMIT) throw wrong(`has more than ${PROVENANCE_LIMIT} bytes`)
  const text = new TextDecoder().decode(bytes).replaceAll('\r\n', '\n')
  const match =
    /-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n([\s\S]*?)\n-----BEGIN PGP SIGNATURE-----/.exec(
      text,
    )
  if (!match) throw wrong('is not a PGP signed message')
  const message = (match[1] ?? '').replace(/^- /gm, '')
  const [chart = '', sums = ''] = message.split(/^\.\.\.\n/m)
  return { metadata: parseChartYaml(Buffer.from(chart)), files: parseSums(sums) }
}

/** @throws AppError invalid_input when it was made for other bytes */
export function demandProvenanceOf(
  { metadata, files }: Provenance,
  { name, version, sha256 }: { name: string; version: string; sha256: string },
): void {
  if (metadata.name !== name || metadata.version !== version) {
    throw wrong(
      `is about ${shown(metadata.name)} ${shown(metadata.version)}, not ${name} ${version}`,
    )
  }
  if (![...files.values()].includes(`sha256:${sha256}`)) {
    throw wrong(`does not have the digest of this archive, sha256:${sha256}: sign it again`)
  }
}

function parseSums(text: string): Map<string, string> {
  const document = parseDocument(text, { logLevel: 'silent' })
  const content: unknown =
    document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 })
  const files =
    typeof content === 'object' && content !== null && 'files' in content
      ? content.files
      : undefined
  if (typeof files !== 'object' || files === null) throw wrong('has no digests of files')
  return new Map(Object.entries(files).map(([name, digest]) => [name, String(digest)]))
}

function wrong(what: string): AppError {
  return new AppError('invalid_input', `the provenance file ${what}`, { field: 'prov' })
}
