import { AppError } from '../lib/errors.ts'
import type { Json } from '../oci/json.ts'
import type { Blobs } from '../registry/blobs.ts'
import { ARCHIVE_LIMIT, readArchive } from './archive.ts'
import type { ChartVersion } from './catalog.ts'
import { readSmallBlob } from './chart-blobs.ts'
import { parseValues } from './chart-yaml.ts'

/** A file of a chart, by its path within. */
export interface ContentFile {
  path: string
  bytes: Uint8Array
}

/** What is in an archive; read when asked for, since few ask. */
export interface ChartContents {
  /** @throws AppError not_found when the chart has none */
  readme(version: ChartVersion): Promise<Uint8Array>
  /** @throws AppError not_found when the chart has none */
  values(version: ChartVersion): Promise<Uint8Array>
  /** In the order of the archive; `values` is `{}` when the chart has none. */
  templates(version: ChartVersion): Promise<{ files: ContentFile[]; values: Json }>
  /** README and values.yaml, those that there are, as text. */
  texts(version: ChartVersion): Promise<{ files: Record<string, string>; values: Json }>
}

const VALUES = 'values.yaml'
const isReadme = (path: string): boolean => /^readme\.(md|txt)$/i.test(path)

export function createChartContents({ blobs }: { blobs: Blobs }): ChartContents {
  async function filesOf(
    { repository, archiveDigest }: ChartVersion,
    keep: (path: string) => boolean,
  ): Promise<ContentFile[]> {
    const bytes = await readSmallBlob(blobs, repository, archiveDigest, ARCHIVE_LIMIT)
    const { files } = await readArchive(bytes, keep)
    return [...files].map(([path, content]) => ({ path, bytes: content }))
  }

  async function one(version: ChartVersion, what: string, keep: (path: string) => boolean) {
    const [file] = await filesOf(version, keep)
    if (file) return file.bytes
    throw new AppError('not_found', `${version.fileName} has no ${what}`)
  }

  return {
    readme: (version) => one(version, 'README.md', isReadme),
    values: (version) => one(version, VALUES, (path) => path === VALUES),

    async templates(version) {
      const isWanted = (path: string) => path === VALUES || path.startsWith('templates/')
      const files = await filesOf(version, isWanted)
      return { files: files.filter(({ path }) => path !== VALUES), values: valuesIn(files) }
    },

    async texts(version) {
      const files = await filesOf(version, (path) => path === VALUES || isReadme(path))
      const texts = files.map(({ path, bytes }) => [
        path === VALUES ? VALUES : 'README.md',
        new TextDecoder().decode(bytes),
      ])
      return { files: Object.fromEntries(texts), values: valuesIn(files) }
    },
  }
}

function valuesIn(files: readonly ContentFile[]): Json {
  const file = files.find(({ path }) => path === VALUES)
  return (file && parseValues(file.bytes)) ?? {}
}
