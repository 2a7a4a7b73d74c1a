import { sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import type { ImageDetails } from './describe.ts'
import { type OffsetPage, type OffsetResult, resultOf, within } from './offset-list.ts'

/** A manifest that people see as an artifact, with all that belongs to it. */
export interface ListedArtifact {
  id: number
  repository: number
  digest: string
  mediaType: string
  configMediaType: string | null
  artifactType: string | null
  kind: 'image' | 'index'
  /** With config and layers; of an index with all that it contains. Bytes. */
  size: number
  details: ImageDetails | null
  /** A signature of cosign or notation is there. */
  signed: boolean
  pushedAt: number
  pulledAt: number | null
  /** In byte order, without those of signatures and attestations. */
  tags: ListedTag[]
  /** What an index contains, in its order. */
  children: ListedChild[]
}

export interface ListedTag {
  id: number
  name: string
  immutable: boolean
  pushedAt: number
  pulledAt: number | null
}

export interface ListedChild {
  /** undefined: it is not in the repository. */
  id: number | undefined
  digest: string
  architecture: string
  os: string
}

export interface ArtifactList {
  /**
   * Newest first, in one statement; the total is a counter. undefined: no such repository.
   * @param repository a path below the project
   */
  page(
    project: number,
    repository: string,
    range: OffsetPage,
  ): Promise<OffsetResult<ListedArtifact> | undefined>
}

/**
 * What signs a manifest that it names as its subject. Sigstore's bundles hold attestations too,
 * and say so in an annotation.
 */
const SIGNS = sql`(
  signature.artifact_type in (
    'application/vnd.cncf.notary.signature', 'application/vnd.dev.cosign.artifact.sig.v1+json')
  or signature.artifact_type like 'application/vnd.dev.sigstore.bundle%' and (
    coalesce(signature.annotations, '') not like '%"dev.sigstore.bundle.predicateType"%'
    or signature.annotations like
      '%"dev.sigstore.bundle.predicateType":"https://sigstore.dev/cosign/sign/%'))`

/**
 * Children of one index that are looked at. A manifest may have ten thousand edges, and a page a
 * thousand indexes: real ones have tens.
 */
const MOST_CHILDREN = sql.lit(1_000)

interface Part {
  part: 'tag' | 'child' | null
  part_id: number | null
  part_name: string | null
  part_immutable: number | null
  part_pushed_at: number | null
  part_pulled_at: number | null
  /** The descriptor of a child, JSON. */
  part_descriptor: string | null
}

interface ArtifactRow extends Part {
  total: number
  id: number | null
  repository: number
  digest: string
  media_type: string
  config_media_type: string | null
  artifact_type: string | null
  kind: 'image' | 'index'
  size: number
  details: string | null
  signed: number
  created_at: number
  pulled_at: number | null
}

export function createArtifactList({ db }: { db: Db }): ArtifactList {
  return {
    async page(project, repository, range) {
      const { rows } = await artifactListQuery(project, repository, range).execute(db.query)
      if (rows.length === 0) return undefined
      const artifacts = new Map<number, ListedArtifact>()
      const { total } = resultOf(rows, (row) => {
        const artifact = artifacts.get(row.id) ?? artifactOf(row)
        artifacts.set(row.id, artifact)
        addPart(artifact, row)
      })
      return { total, items: [...artifacts.values()] }
    },
  }
}

/**
 * The statement of `page`. The ids of the page come from the index of listed manifests alone, then
 * follow what belongs to them: one row for each tag and each child, at least one per artifact.
 */
export function artifactListQuery(project: number, repository: string, range: OffsetPage) {
  return sql<ArtifactRow>`
    with recursive repo as (
      select id, artifact_count from repository
      where project = ${project} and name = ${repository} and state = 'live'
    ),
    page as (
      select id from manifest
      where repository = (select id from repo) and state = 'live' and listed = 1
      order by id desc ${within(range)}
    ),
    tree as (
      select m.id as root, m.id as manifest
      from page join manifest m on m.id = page.id where m.kind = 'index'
      union
      select tree.root, child.id
      from tree
      join manifest_ref r on r.parent = tree.manifest and r.kind = 'manifest'
        and r.position < ${MOST_CHILDREN}
      join manifest child on child.repository = r.repository and child.digest = r.child
        and child.state = 'live'
    ),
    sizes as (
      select tree.root, sum(m.image_size) as size
      from tree join manifest m on m.id = tree.manifest group by tree.root
    ),
    part as (
      select t.manifest as artifact, 'tag' as part, t.id as part_id, t.name as part_name,
        t.immutable as part_immutable, t.updated_at as part_pushed_at,
        t.pulled_at as part_pulled_at, cast(null as text) as part_descriptor,
        0 as part_position
      from page join tag t on t.manifest = page.id where t.accessory = 0
      union all
      select r.parent, 'child', child.id, r.child, null, null, null, r.descriptor, r.position
      from page
      join manifest_ref r on r.parent = page.id and r.kind = 'manifest'
        and r.position < ${MOST_CHILDREN}
      left join manifest child on child.repository = r.repository and child.digest = r.child
        and child.state = 'live'
    )
    select repo.artifact_count + coalesce((
        select sum(d.artifact_count) from usage_delta d where d.repository = repo.id), 0) as total,
      m.id, m.repository, m.digest, m.media_type, m.config_media_type, m.artifact_type, m.kind,
      coalesce(sizes.size, m.image_size) as size, m.details, m.created_at, m.pulled_at,
      case when exists (
        select 1 from tag s
        where s.repository = m.repository and s.name = replace(m.digest, ':', '-') || '.sig'
      ) or exists (
        select 1 from manifest signature
        where signature.repository = m.repository and signature.subject = m.digest
          and signature.state = 'live' and ${SIGNS}
      ) then 1 else 0 end as signed,
      part.part, part.part_id, part.part_name, part.part_immutable, part.part_pushed_at,
      part.part_pulled_at, part.part_descriptor
    from repo
    left join page on true
    left join manifest m on m.id = page.id
    left join sizes on sizes.root = m.id
    left join part on part.artifact = m.id
    order by m.id desc, part.part, part.part_position, part.part_name`
}

function artifactOf(row: ArtifactRow & { id: number }): ListedArtifact {
  return {
    id: row.id,
    repository: row.repository,
    digest: row.digest,
    mediaType: row.media_type,
    configMediaType: row.config_media_type,
    artifactType: row.artifact_type,
    kind: row.kind,
    size: Number(row.size),
    details: row.details === null ? null : (JSON.parse(row.details) as ImageDetails),
    signed: row.signed === 1,
    pushedAt: row.created_at,
    pulledAt: row.pulled_at,
    tags: [],
    children: [],
  }
}

function addPart(artifact: ListedArtifact, row: Part): void {
  if (row.part === 'tag') {
    artifact.tags.push({
      id: row.part_id ?? 0,
      name: row.part_name ?? '',
      immutable: row.part_immutable === 1,
      pushedAt: row.part_pushed_at ?? 0,
      pulledAt: row.part_pulled_at,
    })
  } else if (row.part === 'child') {
    const { platform } = JSON.parse(row.part_descriptor ?? '{}') as { platform?: unknown }
    artifact.children.push({
      id: row.part_id ?? undefined,
      digest: row.part_name ?? '',
      architecture: textAt(platform, 'architecture'),
      os: textAt(platform, 'os'),
    })
  }
}

/** Platforms are kept as they were pushed, so they may be anything. */
function textAt(object: unknown, name: string): string {
  const value = typeof object === 'object' && object ? Reflect.get(object, name) : undefined
  return typeof value === 'string' ? value : ''
}
