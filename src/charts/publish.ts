import { AppError, isAppError } from '../lib/errors.ts'
import type { Digest } from '../oci/digest.ts'
import { toDigest } from '../oci/digest.ts'
import { isJsonObject, type JsonObject, parseStrictJson } from '../oci/json.ts'
import { MEDIA_TYPE } from '../oci/media-types.ts'
import { parseRepositoryName, type RepositoryName } from '../oci/reference.ts'
import type { LocalRegistry } from '../registry/registry.ts'
import type { Pusher } from '../registry/repository-openings.ts'
import { readArchive } from './archive.ts'
import type { ChartCatalog, ChartVersion } from './catalog.ts'
import type { ChartMetadata } from './chart-yaml.ts'
import { fileNameOf } from './entry.ts'
import { CHART_TYPE } from './media-types.ts'
import { demandProvenanceOf, parseProvenance } from './provenance.ts'
import { versionUnknown } from './removal.ts'
import { parseVersion, tagOf } from './version.ts'

/** Chart and folder of an upload; the repository's name is known when the chart was read. */
export interface Upload {
  project: string
  /** The path between project and chart; empty: none. */
  folder: string
  /** Replace what is there. */
  force: boolean
  account: number | null
  /** Asked for each write, with the repository, since reading may take time. */
  authorize(name: RepositoryName): Promise<Pusher>
}

export interface ChartPublisher {
  /**
   * Stores an archive, and its provenance file if there is one, as the artifact that `helm push`
   * makes of it. What is wrong with either is found before anything is stored.
   * @throws AppError invalid_input, conflict, immutable, quota_exceeded, storage_full, denied
   */
  publish(upload: Upload, archive: Uint8Array, provenance?: Uint8Array): Promise<void>
  /**
   * Adds a provenance file to a chart that is there.
   * @throws AppError as `publish`, and not_found
   */
  sign(upload: Upload, provenance: Uint8Array): Promise<void>
}

interface Part {
  mediaType: string
  bytes: Uint8Array
  digest: Digest
}

export function createChartPublisher(deps: {
  registry: LocalRegistry
  catalog: ChartCatalog
}): ChartPublisher {
  const { registry, catalog } = deps

  async function store(upload: Upload, name: RepositoryName, parts: readonly Part[]) {
    const size = parts.reduce((sum, part) => sum + part.bytes.length, 0)
    await registry.projects.demandRoom(name.project, size)
    await registry.uploads.demandRoom(size)
    for (const { bytes, digest } of parts) {
      const owner = { repository: name, account: upload.account }
      const authorizeCommit = () => upload.authorize(name)
      await registry.uploads.single(owner, { digest, body: once(bytes), authorizeCommit })
    }
  }

  async function tag(upload: Upload, name: RepositoryName, version: string, manifest: JsonObject) {
    await registry.manifests
      .put({
        name,
        reference: { kind: 'tag', tag: tagOf(version) },
        tags: [],
        contentType: MEDIA_TYPE.ociManifest,
        bytes: Buffer.from(JSON.stringify(manifest)),
        pusher: await upload.authorize(name),
        moveTags: upload.force,
      })
      .catch((error: unknown) => {
        throw isAppError(error, 'conflict') ? existing(name, version) : error
      })
  }

  /** @throws AppError conflict */
  async function demandNew(upload: Upload, name: RepositoryName, version: string): Promise<void> {
    if (upload.force) return
    const repository = await registry.repositories.find(name)
    const tagged = repository && (await registry.tags.find(repository.id, tagOf(version)))
    if (tagged) throw existing(name, version)
  }

  /** Two charts may want one file name, which tells them apart in an index. */
  async function demandFreeName(upload: Upload, name: RepositoryName, version: string) {
    const file = fileNameOf(chartOf(name), version)
    const other = await catalog.findFile(name.project, joined(upload.folder, file))
    if (other && other.repository.full !== name.full) throw existing(name, version)
  }

  return {
    async publish(upload, archive, provenance) {
      const { metadata } = await readArchive(archive)
      const { name, version } = metadata
      if (!parseVersion(version)) throw versionInvalid(version)
      const repository = repositoryOf(upload, name)
      const layer = partOf(CHART_TYPE.archive, archive)
      const layers = [layer]
      if (provenance) {
        const sha256 = layer.digest.slice('sha256:'.length)
        demandProvenanceOf(parseProvenance(provenance), { name, version, sha256 })
        layers.push(partOf(CHART_TYPE.provenance, provenance))
      }
      await upload.authorize(repository)
      await demandNew(upload, repository, version)
      await demandFreeName(upload, repository, version)
      const config = partOf(CHART_TYPE.config, Buffer.from(JSON.stringify(metadata)))
      // The largest first: if the quota has no room for it, nothing was stored.
      await store(upload, repository, [...layers, config])
      await tag(upload, repository, version, {
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociManifest,
        config: descriptorOf(config),
        layers: layers.map(descriptorOf),
        annotations: annotationsOf(metadata),
      })
    },

    async sign(upload, provenance) {
      const parsed = parseProvenance(provenance)
      const { name, version } = parsed.metadata
      const repository = repositoryOf(upload, name)
      await upload.authorize(repository)
      const chart = await catalog.find(repository, version)
      if (!chart || version === 'latest') throw versionUnknown(repository, version)
      const { digest: sha256 } = chart.entry
      demandProvenanceOf(parsed, { name, version, sha256 })
      if (chart.provenanceDigest && !upload.force) throw existing(repository, `${version}.prov`)
      const layer = partOf(CHART_TYPE.provenance, provenance)
      await store(upload, repository, [layer])
      const manifest = withProvenance(await manifestOf(chart), layer)
      await tag({ ...upload, force: true }, repository, version, manifest)
    },
  }

  async function manifestOf({ repository, digest }: ChartVersion): Promise<JsonObject> {
    const { bytes } = await registry.manifests.get(repository, { kind: 'digest', digest })
    const manifest = parseStrictJson(bytes)
    return isJsonObject(manifest) ? manifest : {}
  }
}

function withProvenance(manifest: JsonObject, part: Part): JsonObject {
  const layers = Array.isArray(manifest.layers) ? manifest.layers : []
  const others = layers.filter(
    (layer) => !isJsonObject(layer) || layer.mediaType !== CHART_TYPE.provenance,
  )
  return { ...manifest, layers: [...others, descriptorOf(part)] }
}

function repositoryOf({ project, folder }: Upload, chart: string): RepositoryName {
  const name = parseRepositoryName(`${project}/${joined(folder, chart)}`)
  // A name with a slash would be another folder.
  if (name && !chart.includes('/')) return name
  throw new AppError(
    'invalid_input',
    `"${chart.slice(0, 100)}" cannot be the name of a chart here: use lower-case letters and digits with single ".", "_" or "-" between them`,
    { field: 'chart' },
  )
}

const joined = (folder: string, name: string): string =>
  folder === '' ? name : `${folder}/${name}`

const chartOf = ({ path }: RepositoryName): string => path.slice(path.lastIndexOf('/') + 1)

function partOf(mediaType: string, bytes: Uint8Array): Part {
  return {
    mediaType,
    bytes,
    digest: toDigest('sha256', Bun.CryptoHasher.hash('sha256', bytes, 'hex')),
  }
}

function descriptorOf({ mediaType, digest, bytes }: Part): JsonObject {
  return { mediaType, digest, size: bytes.length }
}

/** As Helm writes them, but for the time: the same chart is the same artifact. */
function annotationsOf({
  name,
  version,
  description,
  home,
  annotations,
}: ChartMetadata): JsonObject {
  return {
    ...(isJsonObject(annotations) ? annotations : {}),
    ...(typeof description === 'string'
      ? { 'org.opencontainers.image.description': description }
      : {}),
    ...(typeof home === 'string' ? { 'org.opencontainers.image.url': home } : {}),
    'org.opencontainers.image.title': name,
    'org.opencontainers.image.version': version,
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Starts with the words of ChartMuseum, which programs look for. */
function existing(name: RepositoryName, version: string): AppError {
  return new AppError(
    'conflict',
    `file already exists: version ${version} of chart "${name.path}" is in project "${name.project}"; upload a higher version, or replace it with ?force`,
  )
}

function versionInvalid(version: string): AppError {
  return new AppError(
    'invalid_input',
    `the chart's version "${version.slice(0, 130)}" is not a semantic version such as 1.2.3`,
    { field: 'chart' },
  )
}
