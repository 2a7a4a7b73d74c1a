import { gzipSync } from 'node:zlib'

/** An entry of a test's archive, in whatever form the test needs. */
export interface TestEntry {
  name: string
  content?: string | Uint8Array
  /** The type flag; a file when left out. */
  type?: string
  /** What the header says of the size, where that is not true. */
  size?: string
  /** Fields that are written over those of a good header: offset and text. */
  patch?: readonly (readonly [number, string])[]
}

/** A tar archive of exactly these entries. */
export function tarOf(entries: readonly TestEntry[]): Buffer {
  const parts: Uint8Array[] = []
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '')
    parts.push(headerOf(entry, content.length), content)
    parts.push(Buffer.alloc((512 - (content.length % 512)) % 512))
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

function headerOf({ name, type = '0', size, patch = [] }: TestEntry, length: number): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write('0000644\0', 100)
  header.write(size ?? `${length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write(type, 156)
  header.write('ustar\x0000', 257)
  for (const [offset, text] of patch) header.write(text, offset)
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** The body of an extended header (pax). */
export function paxOf(records: Record<string, string>): string {
  return Object.entries(records)
    .map(([name, value]) => {
      const rest = ` ${name}=${value}\n`
      const digits = String(rest.length).length
      const length = rest.length + digits
      return `${String(length).length > digits ? length + 1 : length}${rest}`
    })
    .join('')
}

export interface TestChart {
  name?: string
  version?: string
  /** Lines of Chart.yaml after name and version. */
  yaml?: string
  /** Files of the chart, by their path within. */
  files?: Record<string, string>
}

/** An archive as `helm package` makes it. */
export function chartOf({
  name = 'harbour',
  version = '1.0.0',
  yaml = '',
  files = {},
}: TestChart = {}): Buffer {
  const chartYaml = `apiVersion: v2\nname: ${name}\nversion: ${version}\n${yaml}`
  const entries = Object.entries({ 'Chart.yaml': chartYaml, ...files })
  return gzipSync(tarOf(entries.map(([path, content]) => ({ name: `${name}/${path}`, content }))))
}

export const hex = (bytes: Uint8Array): string => Bun.CryptoHasher.hash('sha256', bytes, 'hex')

/** A provenance file in form; nobody signed it. */
export function provenanceOf(name: string, version: string, archive: Uint8Array): string {
  return [
    '-----BEGIN PGP SIGNED MESSAGE-----',
    'Hash: SHA512',
    '',
    'apiVersion: v2',
    `name: ${name}`,
    `version: ${version}`,
    '',
    '...',
    'files:',
    `  ${name}-${version}.tgz: sha256:${hex(archive)}`,
    '-----BEGIN PGP SIGNATURE-----',
    '',
    'aGVsbG8=',
    '-----END PGP SIGNATURE-----',
    '',
  ].join('\n')
}
