import { createGunzip } from 'node:zlib'
import { type ChartMetadata, parseChartYaml } from './chart-yaml.ts'
import { readTar, refused, shown } from './tar.ts'

/*
 * Chart archives (`helm package`): a gzipped tar with one folder. Whatever Helm itself would refuse
 * to load is refused here, and what two readers could read in two ways.
 */

/** Of the archive as it is uploaded. */
export const ARCHIVE_LIMIT = 20 * 1024 * 1024
/** Helm's own limits: of all that is in an archive, and of one file. */
const CONTENT_LIMIT = 100 * 1024 * 1024
const FILE_LIMIT = 5 * 1024 * 1024
const CHART_YAML_LIMIT = 128 * 1024
/** Compression of texts stays far below; above it somebody is out for our memory. */
const RATIO_LIMIT = 100
const RATIO_FROM = 1024 * 1024

export interface ChartArchive {
  metadata: ChartMetadata
  /** Those that were asked for, by their path within the chart. */
  files: Map<string, Uint8Array>
}

/**
 * Reads an archive to its end, so that what is wrong with it is found.
 *
 * @param keep which files are wanted, by their path within the chart (`templates/service.yaml`)
 * @throws AppError invalid_input, too_large
 */
export async function readArchive(
  bytes: Uint8Array,
  keep: (path: string) => boolean = () => false,
): Promise<ChartArchive> {
  if (bytes.length > ARCHIVE_LIMIT) {
    throw refused(`has ${bytes.length} bytes; at most ${ARCHIVE_LIMIT} are accepted`)
  }
  const paths = new Set<string>()
  const files = new Map<string, Uint8Array>()
  let folder: string | undefined
  let chartYaml: Uint8Array | undefined

  /** The path within the chart. */
  function enter(name: string): string {
    const [first = '', ...rest] = demandPlain(name)
    folder ??= first
    if (first !== folder) {
      throw refused(`holds "${shown(name)}" outside of its folder "${shown(folder)}"`)
    }
    return rest.join('/')
  }

  const wants = (name: string, size: number): boolean => {
    const path = enter(name)
    if (paths.has(path)) throw refused(`holds "${shown(name)}" twice`)
    paths.add(path)
    const limit = path === 'Chart.yaml' ? CHART_YAML_LIMIT : FILE_LIMIT
    if (size > limit) {
      throw refused(`holds "${shown(name)}" of ${size} bytes; at most ${limit} are accepted`)
    }
    return path === 'Chart.yaml' || keep(path)
  }

  for await (const file of readTar(unzip(bytes), wants)) {
    if (!file.bytes) continue
    const path = enter(file.name)
    if (path === 'Chart.yaml') chartYaml = file.bytes
    if (keep(path)) files.set(path, file.bytes)
  }
  if (!chartYaml) throw refused('has no Chart.yaml in its folder')
  return { metadata: parseChartYaml(chartYaml), files }
}

/** The parts of a path that stays where it is unpacked, on any system. */
function demandPlain(name: string): string[] {
  const parts = name.split('/')
  const isPlain =
    name.length <= 1024 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    !/[\\\x00-\x1f\x7f]|^[A-Za-z]:/.test(name) &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..')
  if (!isPlain) throw refused(`holds a file with the path "${shown(name)}", which is not accepted`)
  if (parts.length < 2) throw refused(`holds "${shown(name)}" outside of a folder`)
  return parts
}

async function* unzip(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  gunzip.end(bytes)
  let size = 0
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > CONTENT_LIMIT) throw refused(`holds more than ${CONTENT_LIMIT} bytes`)
      if (size > RATIO_FROM && size > bytes.length * RATIO_LIMIT) {
        throw refused(`grows to more than ${RATIO_LIMIT} times its size`)
      }
      yield chunk
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw refused('is not a gzip file, or is damaged', error)
    }
    throw error
  } finally {
    gunzip.destroy()
  }
}
