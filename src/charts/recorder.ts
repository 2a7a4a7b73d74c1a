import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Digest } from '../oci/digest.ts'
import { hexOf, toDigest } from '../oci/digest.ts'
import { isJsonObject, parseStrictJson } from '../oci/json.ts'
import type { ParsedManifest } from '../oci/manifest.ts'
import type { RepositoryName } from '../oci/reference.ts'
import type { Blobs } from '../registry/blobs.ts'
import type {
  CreateManifestWatch,
  IncomingManifest,
  StoredTags,
} from '../registry/manifest-watch.ts'
import type { Tx } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import { ARCHIVE_LIMIT, readArchive } from './archive.ts'
import { readSmallBlob } from './chart-blobs.ts'
import type { ChartMetadata } from './chart-yaml.ts'
import { fileNameOf, renderEntry } from './entry.ts'
import { CHART_TYPE, isArchive } from './media-types.ts'
import { parseVersion, tagOf, type Version } from './version.ts'

/*
 * Sees each manifest that is pushed, and keeps rows of those that are charts. A registry takes any
 * artifact, so what cannot be read as a chart is no error: it is only not listed as one, and the
 * log says why.
 */

const CONFIG_LIMIT = 1024 * 1024

/** A chart, read before the transaction. */
interface ReadChart {
  metadata: ChartMetadata
  version: Version
  folder: string
  archive: { digest: Digest; sha256: Digest; size: number }
  provenance: string | undefined
}

/** Why a manifest that calls itself a chart is not listed; completes "it is not listed, since …". */
class NotListed extends Error {}

export function createChartRecorder({
  clock,
  log,
}: {
  clock: Clock
  log: Log
}): CreateManifestWatch {
  return ({ blobs }) =>
    async (incoming) => {
      const { name, parsed, tags } = incoming
      const chart =
        isChart(parsed) && tags.length > 0
          ? await read(blobs, incoming).catch((error: unknown) => tell(name, tags, error))
          : undefined
      return (tx, stored) => write(tx, stored, chart)
    }

  function tell(name: RepositoryName, tags: readonly string[], error: unknown): undefined {
    const isExpected = error instanceof NotListed || error instanceof AppError
    const fields = { repository: name.full, tags }
    if (isExpected) log.info('chart not listed', { ...fields, reason: error.message })
    else log.warn('chart not read', { ...fields, error })
    return undefined
  }

  async function write(tx: Tx, stored: StoredTags, chart: ReadChart | undefined): Promise<void> {
    const { repository, manifest, tags, moved } = stored
    if (moved) {
      await tx
        .updateTable('chart_version')
        .set({ tag: null })
        .where('tag', 'in', tagIds(tx, repository.id, tags))
        .where('manifest', '!=', manifest.id)
        .execute()
    }
    if (!chart) return
    if (await isFileNameTaken(tx, stored, chart)) {
      tell(repository.name, tags, nameTaken(chart))
      return
    }
    await tx
      .insertInto('chart_version')
      .values({ ...rowOf(chart, clock()), ...keysOf(stored) })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    await tx
      .updateTable('chart_version')
      .set({ tag: tagIds(tx, repository.id, [tagOf(chart.version.text)]) })
      .where('manifest', '=', manifest.id)
      .execute()
  }
}

function isChart({ kind, edges }: ParsedManifest): boolean {
  const config = edges.find((edge) => edge.kind === 'config')
  return kind === 'image' && config?.descriptor.mediaType === CHART_TYPE.config
}

/** undefined: no tag is the version of the chart, so there is nothing to list. */
async function read(
  blobs: Blobs,
  { name, parsed: { edges }, tags }: IncomingManifest,
): Promise<ReadChart | undefined> {
  const layers = edges.filter((edge) => edge.kind === 'layer').map((edge) => edge.descriptor)
  const config = edges.find((edge) => edge.kind === 'config')?.descriptor
  const archives = layers.filter((layer) => isArchive(layer.mediaType))
  const [archive] = archives
  if (!config || !archive) throw new NotListed('it has no chart archive')
  if (archives.length > 1) throw new NotListed('it has several chart archives')
  const said = await readConfig(blobs, name, config.digest)
  const version = parseVersion(said.version)
  if (!version) throw new NotListed(`"${said.version.slice(0, 130)}" is not a semantic version`)
  // A copy under another name, or a tag such as `latest`: fine, but not what an index lists.
  if (!tags.includes(tagOf(said.version))) return undefined
  const slash = name.path.lastIndexOf('/')
  if (said.name !== name.path.slice(slash + 1)) {
    throw new NotListed(`the chart is called "${said.name.slice(0, 260)}", the repository is not`)
  }
  const bytes = await readSmallBlob(blobs, name, archive.digest, ARCHIVE_LIMIT)
  const { metadata } = await readArchive(bytes)
  if (metadata.name !== said.name || metadata.version !== said.version) {
    throw new NotListed('name or version in the archive are not those of the config')
  }
  const sha256 = toDigest('sha256', Bun.CryptoHasher.hash('sha256', bytes, 'hex'))
  return {
    metadata,
    version,
    folder: name.path.slice(0, Math.max(0, slash)),
    archive: { digest: archive.digest as Digest, sha256, size: bytes.length },
    provenance: layers.find((layer) => layer.mediaType === CHART_TYPE.provenance)?.digest,
  }
}

async function readConfig(blobs: Blobs, name: RepositoryName, digest: string) {
  const bytes = await readSmallBlob(blobs, name, digest, CONFIG_LIMIT)
  const config = parseJson(bytes)
  if (
    isJsonObject(config) &&
    typeof config.name === 'string' &&
    typeof config.version === 'string'
  ) {
    return { name: config.name, version: config.version }
  }
  throw new NotListed('its config has no name and version')
}

function parseJson(bytes: Uint8Array) {
  try {
    return parseStrictJson(bytes)
  } catch {
    throw new NotListed('its config is not JSON')
  }
}

/** The names of files cannot be split again, so two charts may want the same one. */
async function isFileNameTaken(
  tx: Tx,
  { repository }: StoredTags,
  { metadata, folder }: ReadChart,
): Promise<boolean> {
  const other = await tx
    .selectFrom('chart_version')
    .innerJoin('repository', 'repository.id', 'chart_version.repository')
    .select('chart_version.manifest')
    .where('chart_version.project', '=', repository.project.id)
    .where('chart_version.folder', '=', folder)
    .where('chart_version.file_name', '=', fileNameOf(metadata.name, metadata.version))
    .where('chart_version.repository', '!=', repository.id)
    .where('chart_version.tag', 'is not', null)
    .where('repository.state', '=', LIVE)
    .limit(1)
    .executeTakeFirst()
  return other !== undefined
}

function nameTaken({ metadata: { name, version } }: ReadChart): NotListed {
  return new NotListed(`another chart has the file name "${fileNameOf(name, version)}"`)
}

function rowOf({ metadata, version, folder, archive, provenance }: ReadChart, createdAt: number) {
  const fileName = fileNameOf(metadata.name, version.text)
  const entry = renderEntry({ metadata, fileName, archiveDigest: archive.sha256, createdAt })
  return {
    folder,
    name: metadata.name,
    version: version.text,
    version_key: version.key,
    file_name: fileName,
    created_at: createdAt,
    archive_digest: archive.digest,
    archive_size: archive.size,
    provenance_digest: provenance ?? null,
    entry_size: entry.length,
    entry,
  }
}

function keysOf({ repository, manifest }: StoredTags) {
  return {
    manifest: manifest.id,
    project: repository.project.id,
    repository: repository.id,
    tag: null,
    stamp: Number.parseInt(hexOf(manifest.digest).slice(0, 8), 16),
  }
}

function tagIds(tx: Tx, repository: number, names: readonly string[]) {
  return tx
    .selectFrom('tag')
    .select('id')
    .where('repository', '=', repository)
    .where('name', 'in', names)
}
