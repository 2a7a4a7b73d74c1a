import { type SqlBool, sql } from 'kysely'
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  parseDigest,
  toDigest,
} from '../oci/digest.ts'
import { mayBeAbsent, parseManifest } from '../oci/manifest.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Db } from '../store/db/database.ts'
import { LIVE } from '../store/db/prepared.ts'
import type { VerifyOptions } from './verify.ts'

interface Deps {
  db: Db
  store: BlobStore
}

interface Check {
  name: string
  run(deps: Deps, options: VerifyOptions): Promise<{ checked: number; problems: string[] }>
}

const BATCH = 500

/** What must be true of every installation at every moment. */
export const CHECKS: readonly Check[] = [
  { name: 'content', run: checkContent },
  { name: 'blobs', run: checkBlobs },
  { name: 'manifests', run: checkManifests },
  { name: 'tags', run: checkTags },
  { name: 'quota ledger', run: checkLedger },
  { name: 'project usage', run: checkProjectUsage },
  { name: 'repository counters', run: checkRepositoryCounters },
]

/** Every live content has its bytes, all of them. */
async function checkContent({ db, store }: Deps, { deep }: VerifyOptions) {
  const problems: string[] = []
  let checked = 0
  for (let after = 0; ; ) {
    const rows = await db.query
      .selectFrom('content')
      .leftJoin('content_body', 'content_body.content', 'content.id')
      .select(['content.id', 'sha256', 'size', 'storage_key', 'content_body.bytes'])
      .where('content.state', '=', LIVE)
      .where('content.id', '>', after)
      .orderBy('content.id')
      .limit(BATCH)
      .execute()
    for (const row of rows) {
      const { id, sha256, size, storage_key: key, bytes } = row
      const problem = key
        ? await problemOfStored(store, { key, sha256, size }, deep)
        : problemOfInline(bytes, { sha256, size })
      if (problem) problems.push(`content ${id} (sha256:${sha256}): ${problem}`)
    }
    checked += rows.length
    if (rows.length < BATCH) return { checked, problems }
    after = rows.at(-1)?.id ?? after
  }
}

async function problemOfStored(
  store: BlobStore,
  content: { key: string; sha256: string; size: number },
  deep: boolean,
): Promise<string | undefined> {
  const { key, sha256, size } = content
  const stored = await store.size(key)
  if (stored === undefined) return `its bytes are not in the store, under ${key}`
  if (stored !== size) return `it has ${size} bytes, but ${stored} are stored under ${key}`
  if (!deep) return undefined
  const stream = await store.stream(key, size)
  if (!stream) return `its bytes cannot be read, under ${key}`
  const hasher = new Bun.CryptoHasher('sha256')
  for await (const chunk of stream) hasher.update(chunk)
  return hasher.digest('hex') === sha256 ? undefined : `the bytes under ${key} are others`
}

function problemOfInline(
  bytes: Uint8Array | null,
  { sha256, size }: { sha256: string; size: number },
): string | undefined {
  if (!bytes) return 'its bytes are neither in the store nor in the database'
  const actual = Bun.CryptoHasher.hash('sha256', bytes, 'hex')
  return bytes.length === size && actual === sha256 ? undefined : 'its bytes are others'
}

/** What a repository shows as a blob is live content. */
async function checkBlobs({ db }: Deps) {
  const { checked } = await db.query
    .selectFrom('repository_blob')
    .select(({ fn }) => fn.countAll<number>().as('checked'))
    .executeTakeFirstOrThrow()
  const broken = await db.query
    .selectFrom('repository_blob')
    .innerJoin('repository', 'repository.id', 'repository_blob.repository')
    .innerJoin('content', 'content.id', 'repository_blob.content')
    .select(['repository_blob.repository', 'digest', 'content.state'])
    .where('repository.state', '=', LIVE)
    .where('content.state', '!=', 'live')
    .execute()
  return {
    checked,
    problems: broken.map(
      (row) => `blob ${row.digest} of repository ${row.repository}: its content is ${row.state}`,
    ),
  }
}

/** Every manifest is what its digest says, and everything that it needs can be pulled. */
async function checkManifests({ db }: Deps, { sparse }: VerifyOptions) {
  const problems: string[] = []
  let checked = 0
  for (let after = 0; ; ) {
    const rows = await db.query
      .selectFrom('manifest')
      .leftJoin('content_body', 'content_body.content', 'manifest.content')
      .select(['manifest.id', 'repository', 'digest', 'media_type', 'kind', 'bytes'])
      .where('state', '=', LIVE)
      .where('manifest.id', '>', after)
      .orderBy('manifest.id')
      .limit(BATCH)
      .execute()
    for (const row of rows) {
      for (const problem of await problemsOfManifest(db, row, sparse)) {
        problems.push(`manifest ${row.digest} of repository ${row.repository}: ${problem}`)
      }
    }
    checked += rows.length
    if (rows.length < BATCH) return { checked, problems }
    after = rows.at(-1)?.id ?? after
  }
}

interface ManifestRow {
  id: number
  repository: number
  digest: string
  media_type: string
  bytes: Uint8Array | null
}

async function problemsOfManifest(db: Db, row: ManifestRow, sparse: boolean): Promise<string[]> {
  if (!row.bytes) return ['its bytes are missing']
  const digest = parseDigest(row.digest)
  if (!digest || hashOf(row.bytes, algorithmOf(digest)) !== digest) return ['its bytes are others']
  const parsed = parseManifest(row.bytes, row.media_type)
  const edges = await db.query
    .selectFrom('manifest_ref')
    .select(['child', 'kind'])
    .where('parent', '=', row.id)
    .orderBy('position')
    .execute()
  const expected = parsed.edges.map((edge) => `${edge.kind} ${edge.descriptor.digest}`)
  const actual = edges.map((edge) => `${edge.kind} ${edge.child}`)
  if (expected.join() !== actual.join()) return ['its edges are not those of its bytes']
  if (parsed.kind === 'index' || sparse) return []
  const needed = parsed.edges
    .filter((edge) => !mayBeAbsent(edge))
    .map((edge) => edge.descriptor.digest)
    .filter((child) => parseDigest(child) !== undefined)
  const problems: string[] = []
  for (const child of new Set(needed)) {
    const blob = await db.query
      .selectFrom('repository_blob')
      .innerJoin('content', 'content.id', 'repository_blob.content')
      .select('content.id')
      .where('repository', '=', row.repository)
      .where('digest', '=', child)
      .where('content.state', '=', LIVE)
      .executeTakeFirst()
    if (!blob) problems.push(`its blob ${child} is missing`)
  }
  return problems
}

function hashOf(bytes: Uint8Array, algorithm: DigestAlgorithm): Digest {
  return toDigest(algorithm, Bun.CryptoHasher.hash(algorithm, bytes, 'hex'))
}

/** Tags point at live manifests of their own repository. */
async function checkTags({ db }: Deps) {
  const { checked } = await db.query
    .selectFrom('tag')
    .select(({ fn }) => fn.countAll<number>().as('checked'))
    .executeTakeFirstOrThrow()
  const broken = await db.query
    .selectFrom('tag')
    .innerJoin('repository', 'repository.id', 'tag.repository')
    .leftJoin('manifest', 'manifest.id', 'tag.manifest')
    .select(['tag.repository', 'tag.name'])
    .where('repository.state', '=', LIVE)
    .where((eb) =>
      eb.or([
        eb('manifest.id', 'is', null),
        eb('manifest.state', '!=', 'live'),
        eb('manifest.repository', '!=', eb.ref('tag.repository')),
      ]),
    )
    .execute()
  return {
    checked,
    problems: broken.map((row) => `tag ${row.name} of repository ${row.repository} leads nowhere`),
  }
}

/** Every row of a live repository that holds content, one per link. */
const LINKS = sql`
  select r.project, r.id as repository, l.content, c.size
  from (
    select repository, content from repository_blob
    union all
    select repository, content from manifest where state = 'live'
  ) l
  join repository r on r.id = l.repository and r.state = 'live'
  join content c on c.id = l.content`

/** `project_content` counts exactly the rows that hold content. */
async function checkLedger({ db }: Deps) {
  const { rows } = await sql<{ project: number; content: number; links: number; counted: number }>`
    select project, content, sum(links) as links, sum(counted) as counted from (
      select project, content, links, 0 as counted from project_content
      union all
      select project, content, 0 as links, 1 as counted from (${LINKS}) a
    ) b group by project, content`.execute(db.query)
  const wrong = rows.filter((row) => Number(row.links) !== Number(row.counted))
  return {
    checked: rows.length,
    problems: wrong.map(
      (row) =>
        `project ${row.project}, content ${row.content}: the ledger says ${row.links} links, there are ${row.counted}`,
    ),
  }
}

/** What a project is charged for is the sum of what it holds. */
async function checkProjectUsage({ db }: Deps) {
  const { rows } = await sql<{
    project: number
    logical: SqlBool
    unique_ok: SqlBool
    repositories: SqlBool
  }>`
    select p.id as project,
      coalesce((select sum(size) from (${LINKS}) l where l.project = p.id), 0)
        = coalesce((select logical_bytes from project_usage u where u.project = p.id), 0)
        + coalesce((select sum(logical_bytes) from usage_delta d where d.project = p.id), 0) as logical,
      coalesce((select sum(c.size) from project_content pc
          join content c on c.id = pc.content where pc.project = p.id), 0)
        = coalesce((select unique_bytes from project_usage u where u.project = p.id), 0)
        + coalesce((select sum(unique_bytes) from usage_delta d where d.project = p.id), 0) as unique_ok,
      (select count(*) from repository r where r.project = p.id and r.state = 'live')
        = coalesce((select repository_count from project_usage u where u.project = p.id), 0)
        + coalesce((select sum(repository_count) from usage_delta d where d.project = p.id), 0) as repositories
    from project p where p.state = 'live'`.execute(db.query)
  return {
    checked: rows.length,
    problems: rows.flatMap((row) => [
      ...(row.logical
        ? []
        : [`project ${row.project}: its logical size is not the sum of its rows`]),
      ...(row.unique_ok
        ? []
        : [`project ${row.project}: its unique size is not that of its ledger`]),
      ...(row.repositories ? [] : [`project ${row.project}: its number of repositories is wrong`]),
    ]),
  }
}

/** Counters of repositories, folded and not, are those of their rows. */
async function checkRepositoryCounters({ db }: Deps) {
  const { rows } = await sql<{
    repository: number
    tags: SqlBool
    manifests: SqlBool
    artifacts: SqlBool
  }>`
    select r.id as repository,
      (select count(*) from tag t where t.repository = r.id)
        = r.tag_count + coalesce((select sum(tag_count) from usage_delta d where d.repository = r.id), 0) as tags,
      (select count(*) from manifest m where m.repository = r.id and m.state = 'live')
        = r.manifest_count + coalesce((select sum(manifest_count) from usage_delta d where d.repository = r.id), 0) as manifests,
      (select count(*) from manifest m where m.repository = r.id and m.state = 'live' and m.listed = 1)
        = r.artifact_count + coalesce((select sum(artifact_count) from usage_delta d where d.repository = r.id), 0) as artifacts
    from repository r where r.state = 'live'`.execute(db.query)
  return {
    checked: rows.length,
    problems: rows.flatMap((row) => [
      ...(row.tags ? [] : [`repository ${row.repository}: its number of tags is wrong`]),
      ...(row.manifests ? [] : [`repository ${row.repository}: its number of manifests is wrong`]),
      ...(row.artifacts ? [] : [`repository ${row.repository}: its number of artifacts is wrong`]),
    ]),
  }
}
