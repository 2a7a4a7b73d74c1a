import { sql } from 'kysely'
import type { Db, Tx } from '../src/store/db/database.ts'
import { openSqlite } from '../src/store/db/sqlite.ts'

/** The lists of the CCR OpenAPI that are measured. */
export type ListedThing = 'repositories' | 'artifacts'

const batch = 5000
const manifestSize = 500
const project = (of: ListedThing, rows: number) => `ccr-${of}-${rows}`
const repository = 'web/front'

/** The path of a list that {@link fillList} has filled: its first page, as programs ask for it. */
export function listPath(of: ListedThing, rows: number): string {
  const repositories = `/api/ccr/v1.0/instances/ccr-manager/projects/${project(of, rows)}/repositories`
  return of === 'repositories'
    ? `${repositories}?pageNo=1&pageSize=10`
    : `${repositories}/${encodeURIComponent(repository)}/artifacts?page=1&pageSize=10`
}

/**
 * Writes a project with `rows` repositories, or with one repository of `rows` tagged images, into
 * the SQLite database `file` of a server that runs. Pushing as many would take an hour. Counters
 * are those of the rows; the images share the bytes of one manifest, so that they can be listed
 * but not pulled.
 */
export async function fillList(file: string, of: ListedThing, rows: number): Promise<void> {
  // The server that runs moves the log into the database.
  const db = openSqlite({ file, checkpoints: false })
  try {
    const id = await db.transaction((tx) => insertProject(tx, project(of, rows)))
    if (of === 'repositories') await fillRepositories(db, id, rows)
    else await fillArtifacts(db, id, rows)
  } finally {
    await db.close()
  }
}

async function insertProject(tx: Tx, name: string): Promise<number> {
  const now = Date.now()
  const { id } = await tx
    .insertInto('project')
    .values({ name, is_public: 0, created_at: now, updated_at: now })
    .returning('id')
    .executeTakeFirstOrThrow()
  await tx.insertInto('project_usage').values({ project: id }).execute()
  return id
}

async function insertRepositories(
  tx: Tx,
  owner: number,
  names: ReturnType<typeof series>,
): Promise<void> {
  const now = Date.now()
  const { numAffectedRows } = await sql`
    insert into repository (project, name, summary, created_by, created_at, updated_at)
    select ${owner}, name, 'made by the benchmark', 1, ${now}, ${now} from (${names})`.execute(tx)
  await tx
    .updateTable('project_usage')
    .set((eb) => ({ repository_count: eb('repository_count', '+', Number(numAffectedRows)) }))
    .where('project', '=', owner)
    .execute()
}

async function fillRepositories(db: Db, owner: number, rows: number): Promise<void> {
  for (const [first, last] of batches(rows)) {
    const names = sql`select printf('team/service-%06d', i) as name from (${series(first, last)})`
    await db.transaction((tx) => insertRepositories(tx, owner, names), { durable: false })
  }
}

async function fillArtifacts(db: Db, owner: number, rows: number): Promise<void> {
  const place = await db.transaction(async (tx) => {
    await insertRepositories(tx, owner, sql`select ${repository} as name`)
    const { id } = await tx
      .selectFrom('repository')
      .select('id')
      .where('project', '=', owner)
      .executeTakeFirstOrThrow()
    return { owner, id, content: await insertContent(tx, owner) }
  })
  for (const [first, last] of batches(rows)) {
    await db.transaction((tx) => insertArtifacts(tx, place, first, last), { durable: false })
  }
}

async function insertContent(tx: Tx, owner: number): Promise<number> {
  const bytes = new Uint8Array(manifestSize).fill(0x20)
  const now = Date.now()
  // Named after the project, since every list has a content of its own.
  const sha256 = new Bun.CryptoHasher('sha256').update(`content of ${owner}`).digest('hex')
  const { id } = await tx
    .insertInto('content')
    .values({ sha256, size: manifestSize, storage_key: null, state_at: now, created_at: now })
    .returning('id')
    .executeTakeFirstOrThrow()
  await tx.insertInto('content_body').values({ content: id, bytes }).execute()
  await tx.insertInto('project_content').values({ project: owner, content: id, links: 0 }).execute()
  await tx
    .updateTable('project_usage')
    .set({ unique_bytes: manifestSize })
    .where('project', '=', owner)
    .execute()
  return id
}

/** Images as pushes leave them: a tag each, and edges to a config and a layer. */
async function insertArtifacts(
  tx: Tx,
  { owner, id, content }: { owner: number; id: number; content: number },
  first: number,
  last: number,
): Promise<void> {
  const now = Date.now()
  const count = last - first + 1
  const type = 'application/vnd.oci.image'
  const created = new Date(now).toISOString()
  const details = JSON.stringify({ architecture: 'amd64', os: 'linux', author: '', created })
  const inserted = sql`from manifest where repository = ${id} and digest between
    ${digestOf(first)} and ${digestOf(last)}`
  // Their digests are numbers that no row has.
  const edge = (position: number, kind: 'config' | 'layer', child: string) => sql`
    insert into manifest_ref (repository, parent, position, child, kind, descriptor)
    select ${id}, id, ${position}, ${child}, ${kind}, ${JSON.stringify({ digest: child })}
    ${inserted}`
  const statements = [
    sql`insert into manifest (repository, digest, content, media_type, kind, size, pushed_by,
        created_at, config_media_type, image_size, details, listed)
      select ${id}, printf('sha256:%064x', i), ${content}, ${`${type}.manifest.v1+json`}, 'image',
        ${manifestSize}, 1, ${now}, ${`${type}.config.v1+json`}, 1000000, ${details}, 1
      from (${series(first, last)})`,
    sql`insert into tag (repository, name, manifest, pushed_by, created_at, updated_at)
      select ${id}, 'v' || id, id, 1, ${now}, ${now} ${inserted}`,
    edge(0, 'config', digestOf(2 ** 40)),
    edge(1, 'layer', digestOf(2 ** 40 + 1)),
    sql`update project_content set links = links + ${count}
      where project = ${owner} and content = ${content}`,
    sql`update repository set artifact_count = artifact_count + ${count},
        manifest_count = manifest_count + ${count}, tag_count = tag_count + ${count},
        logical_bytes = logical_bytes + ${count * manifestSize} where id = ${id}`,
    sql`update project_usage set logical_bytes = logical_bytes + ${count * manifestSize}
      where project = ${owner}`,
  ]
  for (const statement of statements) await statement.execute(tx)
}

function digestOf(number: number): string {
  return `sha256:${number.toString(16).padStart(64, '0')}`
}

function batches(rows: number): [first: number, last: number][] {
  return Array.from({ length: Math.ceil(rows / batch) }, (_, i) => [
    i * batch + 1,
    Math.min(rows, (i + 1) * batch),
  ])
}

/** The numbers from `first` to `last`, as rows of a column `i`. */
function series(first: number, last: number) {
  return sql`with recursive s(i) as (select ${first} union all
    select i + 1 from s where i < ${last}) select i from s`
}
