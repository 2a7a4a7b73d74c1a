import { type SqlBool, sql } from 'kysely'
import type { Clock } from '../../../lib/clock.ts'
import { isAccessoryTag } from '../../../oci/accessory.ts'
import { parseManifest } from '../../../oci/manifest.ts'
import type { Db, Tx } from '../../../store/db/database.ts'
import { LIVE } from '../../../store/db/prepared.ts'
import type { NewRow, Schema } from '../../../store/db/schema.ts'
import { chunked } from '../../chunked.ts'
import { measure } from '../../describe.ts'
import { relist } from '../../listing.ts'
import { columnsOf, edgesOf } from '../../manifest-columns.ts'
import { noChange } from '../../usage.ts'
import { parseState, type RecordKind } from '../records.ts'
import type { Entry, Scratch } from './scratch.ts'

/*
 * Writes the rows of a checked scratch, with their old ids: other programs remember those. Each
 * part may be written again after a kill, since rows that are there stay.
 */

interface RestoreDeps {
  db: Db
  scratch: Scratch
  clock: Clock
  onProgress?: ((part: string) => void) | undefined
}

export async function restoreRows(deps: RestoreDeps): Promise<void> {
  const { db, scratch, clock, onProgress = () => {} } = deps
  const now = clock()

  async function each(
    kind: RecordKind,
    write: (tx: Tx, page: readonly Entry[]) => Promise<void>,
  ): Promise<void> {
    for (const page of scratch.pages(kind)) {
      await db.transaction((tx) => write(tx, page), { durable: false })
    }
    onProgress(kind)
  }

  function projectOf({ owner, state }: Entry): NewRow<'project'> {
    const { isPublic, createdAt, updatedAt, alias, ...project } = parseState('project', state)
    return {
      id: owner,
      ...project,
      alias: scratch.nameHolder('project', `alias ${alias}`) === owner ? alias : null,
      is_public: isPublic ? 1 : 0,
      created_at: createdAt,
      updated_at: updatedAt,
    }
  }

  function repositoryOf({ owner, state }: Entry): NewRow<'repository'> {
    const { createdAt, updatedAt, ...repository } = parseState('repository', state)
    return { id: owner, ...repository, created_at: createdAt, updated_at: updatedAt }
  }

  function contentOf(sha256: string): NewRow<'content'> & { id: number } {
    const content = scratch.content(sha256)
    if (!content) throw new Error(`sha256:${sha256} was not checked`)
    const { id, size, key } = content
    return { id, sha256, size, storage_key: key, state_at: now, created_at: now }
  }

  async function writeBlobs(tx: Tx, page: readonly Entry[]): Promise<void> {
    const contents: NewRow<'content'>[] = []
    const bodies: NewRow<'content_body'>[] = []
    const rows = page.map(({ owner, name, state }): NewRow<'repository_blob'> => {
      const { content, bytes, createdAt } = parseState('blob', state)
      const stored = contentOf(content.sha256)
      contents.push(stored)
      if (stored.storage_key === null && bytes !== undefined) {
        bodies.push({ content: stored.id, bytes: Buffer.from(bytes, 'base64') })
      }
      return {
        repository: owner,
        digest: name,
        content: stored.id,
        unreferenced_since: now,
        created_at: createdAt,
      }
    })
    await insert(tx, 'content', contents)
    await insert(tx, 'content_body', bodies)
    await insert(tx, 'repository_blob', rows)
  }

  async function writeManifests(tx: Tx, page: readonly Entry[]): Promise<void> {
    const contents: NewRow<'content'>[] = []
    const bodies: NewRow<'content_body'>[] = []
    const edges: NewRow<'manifest_ref'>[] = []
    const rows = page.map(({ owner, name, state }): NewRow<'manifest'> => {
      const manifest = parseState('manifest', state)
      const bytes = Buffer.from(manifest.bytes, 'base64')
      const parsed = parseManifest(bytes, manifest.mediaType)
      const stored = contentOf(manifest.content.sha256)
      const { configMediaType, imageSize } = measure(parsed, bytes.length)
      contents.push(stored)
      bodies.push({ content: stored.id, bytes })
      edges.push(...edgesOf(owner, manifest.id, parsed))
      return {
        id: manifest.id,
        repository: owner,
        digest: name,
        content: stored.id,
        ...columnsOf(parsed),
        size: bytes.length,
        untagged_since: now,
        created_at: manifest.createdAt,
        config_media_type: configMediaType,
        image_size: imageSize,
        details: manifest.details,
        listed: 0,
      }
    })
    await insert(tx, 'content', contents)
    await insert(tx, 'content_body', bodies)
    await insert(tx, 'manifest', rows)
    await insert(tx, 'manifest_ref', edges)
  }

  /** Those that were gone when the journal told of them have no number of their own. */
  const withoutId: NewRow<'tag'>[] = []

  async function writeTags(tx: Tx, page: readonly Entry[]): Promise<void> {
    const rows: NewRow<'tag'>[] = []
    for (const { owner, name, state } of page) {
      const { id, digest, immutable, createdAt, updatedAt } = parseState('tag', state)
      const manifest = scratch.manifestId(owner, digest)
      if (manifest === undefined) continue
      const row = {
        repository: owner,
        name,
        manifest,
        immutable: immutable ? 1 : 0,
        accessory: isAccessoryTag(name) ? 1 : 0,
        created_at: createdAt,
        updated_at: updatedAt,
      } as const
      if (id === 0) withoutId.push(row)
      else rows.push({ id, ...row })
    }
    await insert(tx, 'tag', rows)
  }

  await each('project', (tx, page) => insert(tx, 'project', page.map(projectOf)))
  await each('repository', (tx, page) => insert(tx, 'repository', page.map(repositoryOf)))
  await each('blob', writeBlobs)
  await each('manifest', writeManifests)
  await each('tag', writeTags)
  for (const table of ['project', 'repository', 'content', 'manifest', 'tag']) {
    await db.engine.continueIds(db.query, table)
  }
  await db.transaction((tx) => insert(tx, 'tag', withoutId))
  await deriveRows(db, clock)
  onProgress('sums')
}

/** Rows that are there, of a run that was killed or of other records, stay. */
async function insert<T extends keyof Schema>(
  tx: Tx,
  table: T,
  rows: readonly NewRow<T>[],
): Promise<void> {
  for (const some of chunked(rows)) {
    await tx
      .insertInto(table)
      .values(some)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/** What follows from other rows: lists, links, sums and counters. */
async function deriveRows(db: Db, clock: Clock): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await db.query
      .selectFrom('manifest')
      .select('id')
      .where('id', '>', after)
      .orderBy('id')
      .limit(500)
      .execute()
    const last = rows.at(-1)
    if (!last) break
    const ids = rows.map(({ id }) => id)
    await db.transaction((tx) => relist(db, tx, ids, clock(), noChange()), { durable: false })
    after = last.id
  }
  await db.transaction(async (tx) => {
    await tx
      .updateTable('repository_blob')
      .set({ unreferenced_since: null })
      .where(
        sql<SqlBool>`exists (select 1 from manifest_ref r join manifest m on m.id = r.parent
          where r.repository = repository_blob.repository and r.child = repository_blob.digest
            and m.state = 'live')`,
      )
      .execute()
    for (const table of ['project_content', 'project_usage', 'usage_delta'] as const) {
      await tx.deleteFrom(table).execute()
    }
    await sql`insert into project_content (project, content, links)
      select r.project, l.content, count(*) from (
        select repository, content from repository_blob
        union all
        select repository, content from manifest where state = 'live'
      ) l join repository r on r.id = l.repository
      group by r.project, l.content`.execute(tx)
    await tx
      .updateTable('repository')
      .set({
        logical_bytes: sql<number>`coalesce((
            select sum(c.size) from repository_blob b join content c on c.id = b.content
            where b.repository = repository.id), 0)
          + coalesce((
            select sum(m.size) from manifest m
            where m.repository = repository.id and m.state = 'live'), 0)`,
        manifest_count: sql<number>`(select count(*) from manifest m
          where m.repository = repository.id and m.state = 'live')`,
        artifact_count: sql<number>`(select count(*) from manifest m
          where m.repository = repository.id and m.state = 'live' and m.listed = 1)`,
        tag_count: sql<number>`(select count(*) from tag t where t.repository = repository.id)`,
      })
      .where('state', '=', LIVE)
      .execute()
    await sql`insert into project_usage (project, logical_bytes, unique_bytes, repository_count)
      select p.id,
        coalesce((select sum(r.logical_bytes) from repository r where r.project = p.id), 0),
        coalesce((select sum(c.size) from project_content l join content c on c.id = l.content
          where l.project = p.id), 0),
        (select count(*) from repository r where r.project = p.id)
      from project p`.execute(tx)
  })
}
