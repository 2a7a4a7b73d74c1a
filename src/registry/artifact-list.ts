import { sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import type { ImageDetails } from './describe.ts'
import { type OffsetPage, type OffsetResult, within } from './offset-list.ts'

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

/** Rows of several kinds, put together here: joined they would be every tag with every child. */
interface Part {
  part: 'total' | 'artifact' | 'size' | 'tag' | 'child'
  /** Whose it is. */
  artifact: number
  /** Of the artifact, tag or child. */
  id: number | null
  /** The digest of the artifact or child, the tag. */
  name: string | null
  /** Signed, or immutable. */
  flag: number | null
  pushed_at: number | null
  pulled_at: number | null
  /** The total, bytes, or a child's position. */
  number: number | null
  media_type: string | null
  config_media_type: string | null
  artifact_type: string | null
  kind: 'image' | 'index' | null
  /** `ImageDetails` of the artifact, or the descriptor of a child. */
  json: string | null
}

export function createArtifactList({ db }: { db: Db }): ArtifactList {
  return {
    async page(project, repository, range) {
      const { rows } = await artifactListQuery(project, repository, range).execute(db.query)
      const of = Map.groupBy(rows, ({ part }) => part)
      const repo = of.get('total')?.[0]
      if (!repo) return undefined
      const artifacts = new Map(
        (of.get('artifact') ?? []).map((row) => [row.artifact, artifactOf(row, repo.artifact)]),
      )
      for (const { artifact, number } of of.get('size') ?? []) {
        const found = artifacts.get(artifact)
        if (found) found.size = Number(number)
      }
      for (const row of of.get('tag') ?? []) artifacts.get(row.artifact)?.tags.push(tagOf(row))
      const children = (of.get('child') ?? []).sort((a, b) => (a.number ?? 0) - (b.number ?? 0))
      for (const row of children) artifacts.get(row.artifact)?.children.push(childOf(row))
      const items = [...artifacts.values()].sort((a, b) => b.id - a.id)
      for (const { tags } of items) tags.sort((a, b) => (a.name < b.name ? -1 : 1))
      return { total: Number(repo.number), items }
    },
  }
}

/**
 * The statement of `page`. The ids of the page come from the index of listed manifests alone, then
 * follow what belongs to them. Planners are held to that order: `cross join` keeps SQLite from
 * beginning with the larger table, and a range of one repository keeps PostgreSQL from walking
 * through the manifests of all others.
 */
export function artifactListQuery(project: number, repository: string, range: OffsetPage) {
  return sql<Part>`
    with recursive repo as (
      select id, artifact_count from repository
      where project = ${project} and name = ${repository} and state = 'live'
    ),
    page as (
      select id from manifest
      where repository >= (select id from repo) and repository <= (select id from repo)
        and state = 'live' and listed = 1
      order by repository desc, id desc ${within(range)}
    ),
    tree as (
      select m.id as root, m.id as manifest
      from page cross join manifest m where m.id = page.id and m.kind = 'index'
      union
      select tree.root, child.id
      from tree cross join manifest_ref r cross join manifest child
      where r.parent = tree.manifest and r.kind = 'manifest' and r.position < ${MOST_CHILDREN}
        and child.repository = r.repository and child.digest = r.child and child.state = 'live'
    )
    select 'artifact' as part, m.id as artifact, m.id as id, m.digest as name,
      case when exists (
        select 1 from tag s
        where s.repository = m.repository and s.name = replace(m.digest, ':', '-') || '.sig'
      ) or exists (
        select 1 from manifest signature
        where signature.repository = m.repository and signature.subject = m.digest
          and signature.state = 'live' and ${SIGNS}
      ) then 1 else 0 end as flag,
      m.created_at as pushed_at, m.pulled_at as pulled_at, m.image_size as number,
      m.media_type as media_type, m.config_media_type as config_media_type,
      m.artifact_type as artifact_type, m.kind as kind, m.details as json
    from page cross join manifest m where m.id = page.id
    union all
    select 'tag', t.manifest, t.id, t.name, t.immutable, t.updated_at, t.pulled_at,
      null, null, null, null, null, null
    from page cross join tag t where t.manifest = page.id and t.accessory = 0
    union all
    select 'child', r.parent, child.id, r.child, null, null, null,
      r.position, null, null, null, null, r.descriptor
    from page cross join manifest_ref r
    left join manifest child on child.repository = r.repository and child.digest = r.child
      and child.state = 'live'
    where r.parent = page.id and r.kind = 'manifest' and r.position < ${MOST_CHILDREN}
    union all
    select 'size', tree.root, null, null, null, null, null,
      sum(m.image_size), null, null, null, null, null
    from tree cross join manifest m where m.id = tree.manifest group by tree.root
    union all
    select 'total', repo.id, null, null, null, null, null,
      repo.artifact_count + coalesce((
        select sum(d.artifact_count) from usage_delta d where d.repository = repo.id), 0),
      null, null, null, null, null
    from repo`
}

function artifactOf(row: Part, repository: number): ListedArtifact {
  return {
    id: row.artifact,
    repository,
    digest: row.name ?? '',
    mediaType: row.media_type ?? '',
    configMediaType: row.config_media_type,
    artifactType: row.artifact_type,
    kind: row.kind ?? 'image',
    size: Number(row.number),
    details: row.json === null ? null : (JSON.parse(row.json) as ImageDetails),
    signed: row.flag === 1,
    pushedAt: row.pushed_at ?? 0,
    pulledAt: row.pulled_at,
    tags: [],
    children: [],
  }
}

function tagOf(row: Part): ListedTag {
  return {
    id: row.id ?? 0,
    name: row.name ?? '',
    immutable: row.flag === 1,
    pushedAt: row.pushed_at ?? 0,
    pulledAt: row.pulled_at,
  }
}

function childOf(row: Part): ListedChild {
  const { platform } = JSON.parse(row.json ?? '{}') as { platform?: unknown }
  return {
    id: row.id ?? undefined,
    digest: row.name ?? '',
    architecture: textAt(platform, 'architecture'),
    os: textAt(platform, 'os'),
  }
}

/** Platforms are kept as they were pushed, so they may be anything. */
function textAt(object: unknown, name: string): string {
  const value = typeof object === 'object' && object ? Reflect.get(object, name) : undefined
  return typeof value === 'string' ? value : ''
}
