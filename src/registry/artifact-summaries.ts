import { sql } from 'kysely'
import { signatureTag } from '../oci/accessory.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { ImageDetails } from './describe.ts'

/** What lists say of a manifest beside its own row: its parts, and what is attached to it. */
export interface ArtifactSummary {
  id: number
  digest: string
  mediaType: string
  artifactType: string | null
  configMediaType: string | null
  kind: 'image' | 'index'
  /** Of the manifest itself, bytes. */
  size: number
  /** With config and layers; of an index with its parts. Bytes. */
  totalSize: number
  /** Digest of the manifest that this one refers to. */
  subject: string | null
  annotations: Record<string, string> | null
  /** `linux/arm64`; of an index none. */
  platform: string | null
  /** When the image was made, as it says itself (RFC 3339). */
  created: string | null
  parts: ArtifactPart[]
  attached: Attached[]
  pulledAt: number | null
}

/** What an index contains. */
export interface ArtifactPart {
  digest: string
  mediaType: string
  platform: string | null
  /** With config and layers; null: it is not in the repository. */
  totalSize: number | null
  /** An attestation of BuildKit: the digest of the image that it is about. */
  attests: string | null
}

/** How many manifests of a type say something of this one. */
export interface Attached {
  /** The type as it was pushed; of cosign's tags `cosign.sig`, `cosign.att`, `cosign.sbom`. */
  artifactType: string
  count: number
}

/** Parts of one index that are looked at. Real ones have tens; a page may hold many. */
const MOST_PARTS = 200

/** Of manifests of one repository by their ids: four statements, whatever their number. */
export async function summariesOf(
  db: Db,
  repository: number,
  ids: readonly number[],
): Promise<Map<number, ArtifactSummary>> {
  if (ids.length === 0) return new Map()
  const rows = await db.query
    .selectFrom('manifest')
    .selectAll()
    .where('id', 'in', [...new Set(ids)])
    .execute()
  const found = new Map(
    rows.map((row): [number, ArtifactSummary] => [
      row.id,
      {
        id: row.id,
        digest: row.digest,
        mediaType: row.media_type,
        artifactType: row.artifact_type,
        configMediaType: row.config_media_type,
        kind: row.kind,
        size: row.size,
        totalSize: row.image_size,
        subject: row.subject,
        annotations: row.annotations === null ? null : JSON.parse(row.annotations),
        ...detailsOf(row.details),
        parts: [],
        attached: [],
        pulledAt: row.pulled_at,
      },
    ]),
  )
  const all = [...found.values()]
  await addParts(db, repository, all)
  await addAttached(db, repository, all)
  return found
}

function detailsOf(json: string | null) {
  const details = json === null ? undefined : (JSON.parse(json) as ImageDetails)
  return { platform: platformOf(details), created: details?.created || null }
}

async function addParts(db: Db, repository: number, all: ArtifactSummary[]): Promise<void> {
  const indexes = new Map(all.filter(({ kind }) => kind === 'index').map((one) => [one.id, one]))
  if (indexes.size === 0) return
  const rows = await db.query
    .selectFrom('manifest_ref')
    .leftJoin('manifest', (join) =>
      join
        .onRef('manifest.repository', '=', 'manifest_ref.repository')
        .onRef('manifest.digest', '=', 'manifest_ref.child')
        .on('manifest.state', '=', LIVE),
    )
    .select([
      'manifest_ref.parent',
      'manifest_ref.child',
      'manifest_ref.descriptor',
      'manifest.image_size',
      'manifest.details',
    ])
    .where('manifest_ref.repository', '=', repository)
    .where('manifest_ref.parent', 'in', [...indexes.keys()])
    .where('manifest_ref.kind', '=', 'manifest')
    .where('manifest_ref.position', '<', MOST_PARTS)
    .orderBy('manifest_ref.parent')
    .orderBy('manifest_ref.position')
    .execute()
  for (const row of rows) {
    const index = indexes.get(row.parent)
    if (!index) continue
    const { platform, mediaType, attests } = readDescriptor(row.descriptor)
    index.parts.push({
      digest: row.child,
      mediaType,
      platform: attests === null ? (platform ?? detailsOf(row.details).platform) : null,
      totalSize: row.image_size,
      attests,
    })
    index.totalSize += row.image_size ?? 0
  }
}

async function addAttached(db: Db, repository: number, all: ArtifactSummary[]): Promise<void> {
  const byDigest = new Map(all.map((one) => [one.digest, one]))
  const referrers = await db.query
    .selectFrom('manifest')
    .select(({ fn }) => ['subject', 'artifact_type', fn.countAll<number>().as('count')])
    .where('repository', '=', repository)
    .where('subject', 'in', [...byDigest.keys()])
    .where('state', '=', LIVE)
    .groupBy(['subject', 'artifact_type'])
    .orderBy('artifact_type')
    .execute()
  for (const { subject, artifact_type: artifactType, count } of referrers) {
    byDigest.get(subject ?? '')?.attached.push({ artifactType: artifactType ?? '', count })
  }

  const tags = new Map(all.flatMap((one) => cosignTags(one.digest).map((tag) => [tag, one])))
  const rows = await db.query
    .selectFrom('tag')
    .select('name')
    .where('repository', '=', repository)
    .where('accessory', '=', 1)
    .where('name', 'in', [...tags.keys()])
    .orderBy('name')
    .execute()
  for (const { name } of rows) {
    tags.get(name)?.attached.push({ artifactType: cosignTypeOf(name), count: 1 })
  }
}

/** Where cosign leaves what it says of a manifest, when it does not use the referrers API. */
export function cosignTags(digest: string): string[] {
  const base = signatureTag(digest).slice(0, -'.sig'.length)
  return ['sig', 'att', 'sbom'].map((suffix) => `${base}.${suffix}`)
}

export function cosignTypeOf(tag: string): string {
  return `cosign${tag.slice(tag.lastIndexOf('.'))}`
}

/** The indexes of the repository that contain a manifest, at most a few. */
export async function parentsOf(db: Db, repository: number, digest: string): Promise<string[]> {
  const rows = await db.query
    .selectFrom('manifest_ref')
    .innerJoin('manifest', 'manifest.id', 'manifest_ref.parent')
    .select('manifest.digest')
    .distinct()
    .where('manifest_ref.repository', '=', repository)
    .where('manifest_ref.child', '=', digest)
    .where('manifest_ref.kind', '=', 'manifest')
    .where('manifest.state', '=', sql.lit('live'))
    .orderBy('manifest.digest')
    .limit(20)
    .execute()
  return rows.map((row) => row.digest)
}

/** Descriptors are kept as they were pushed, so every field may be anything. */
function readDescriptor(json: string) {
  const { mediaType, platform, annotations } = JSON.parse(json) as Record<string, unknown>
  const isAttestation = textAt(annotations, 'vnd.docker.reference.type') === 'attestation-manifest'
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    platform: platformOf({
      os: textAt(platform, 'os'),
      architecture: textAt(platform, 'architecture'),
      variant: textAt(platform, 'variant'),
    }),
    attests: isAttestation ? textAt(annotations, 'vnd.docker.reference.digest') : null,
  }
}

/** As containerd and docker write platforms. */
function platformOf(
  platform: { os: string; architecture: string; variant?: string } | undefined,
): string | null {
  if (!platform?.os || platform.os === 'unknown') return null
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')
}

function textAt(object: unknown, name: string): string {
  const value = typeof object === 'object' && object ? Reflect.get(object, name) : undefined
  return typeof value === 'string' ? value.slice(0, 512) : ''
}
