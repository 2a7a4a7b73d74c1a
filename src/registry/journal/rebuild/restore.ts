import { type SqlBool, sql } from 'kysely'
import type { Clock } from '../../../lib/clock.ts'
import { isAccessoryTag } from '../../../oci/accessory.ts'
import { parseManifest } from '../../../oci/manifest.ts'
import type { Db, Tx } from '../../../store/db/database.ts'
import { LIVE } from '../../../store/db/prepared.ts'
import { keepBody } from '../../content.ts'
import { measure } from '../../describe.ts'
import { relist } from '../../listing.ts'
import { columnsOf, insertEdges } from '../../manifest-columns.ts'
import { noChange } from '../../usage.ts'
import { parseState } from '../records.ts'
import type { Entry, Scratch, ScratchContent } from './scratch.ts'

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
    kind: Parameters<Scratch['pages']>[0],
    write: (tx: Tx, entry: Entry) => Promise<void>,
  ): Promise<void> {
    for (const page of scratch.pages(kind)) {
      await db.transaction(
        async (tx) => {
          for (const entry of page) await write(tx, entry)
        },
        { durable: false },
      )
    }
    onProgress(kind)
  }

  async function writeProject(tx: Tx, { owner, state }: Entry): Promise<void> {
    const { isPublic, createdAt, updatedAt, alias, ...project } = parseState('project', state)
    await tx
      .insertInto('project')
      .values({
        id: owner,
        ...project,
        alias: scratch.nameHolder('project', `alias ${alias}`) === owner ? alias : null,
        is_public: isPublic ? 1 : 0,
        created_at: createdAt,
        updated_at: updatedAt,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async function writeRepository(tx: Tx, { owner, state }: Entry): Promise<void> {
    const { createdAt, updatedAt, ...repository } = parseState('repository', state)
    await tx
      .insertInto('repository')
      .values({ id: owner, ...repository, created_at: createdAt, updated_at: updatedAt })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async function writeContent(tx: Tx, sha256: string): Promise<ScratchContent> {
    const content = scratch.content(sha256)
    if (!content) throw new Error(`sha256:${sha256} was not checked`)
    await tx
      .insertInto('content')
      .values({
        id: content.id,
        sha256,
        size: content.size,
        storage_key: content.key,
        state_at: now,
        created_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    return content
  }

  async function writeBlob(tx: Tx, { owner, name, state }: Entry): Promise<void> {
    const { content, bytes, createdAt } = parseState('blob', state)
    const { id, key } = await writeContent(tx, content.sha256)
    if (key === null && bytes !== undefined) await keepBody(tx, id, Buffer.from(bytes, 'base64'))
    await tx
      .insertInto('repository_blob')
      .values({
        repository: owner,
        digest: name,
        content: id,
        unreferenced_since: now,
        created_at: createdAt,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async function writeManifest(tx: Tx, { owner, name, state }: Entry): Promise<void> {
    const {
      id,
      mediaType,
      content,
      bytes: packed,
      details,
      createdAt,
    } = parseState('manifest', state)
    const bytes = Buffer.from(packed, 'base64')
    const parsed = parseManifest(bytes, mediaType)
    const { configMediaType, imageSize } = measure(parsed, bytes.length)
    const stored = await writeContent(tx, content.sha256)
    await keepBody(tx, stored.id, bytes)
    await tx
      .insertInto('manifest')
      .values({
        id,
        repository: owner,
        digest: name,
        content: stored.id,
        ...columnsOf(parsed),
        size: bytes.length,
        untagged_since: now,
        pushed_by: null,
        created_at: createdAt,
        config_media_type: configMediaType,
        image_size: imageSize,
        details,
        listed: 0,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    await insertEdges(tx, owner, id, parsed)
  }

  /** Those that were gone when the journal told of them have no number of their own. */
  const withoutId: Entry[] = []

  async function writeTag(tx: Tx, entry: Entry, isLate = false): Promise<void> {
    const { owner, name } = entry
    const tag = parseState('tag', entry.state)
    if (tag.id === 0 && !isLate) {
      withoutId.push(entry)
      return
    }
    const manifest = scratch.find({ kind: 'manifest', owner, name: tag.digest })
    if (manifest === undefined) return
    await tx
      .insertInto('tag')
      .values({
        ...(tag.id === 0 ? {} : { id: tag.id }),
        repository: owner,
        name,
        manifest: parseState('manifest', manifest).id,
        immutable: tag.immutable ? 1 : 0,
        accessory: isAccessoryTag(name) ? 1 : 0,
        pushed_by: null,
        created_at: tag.createdAt,
        updated_at: tag.updatedAt,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  await each('project', writeProject)
  await each('repository', writeRepository)
  await each('blob', writeBlob)
  await each('manifest', writeManifest)
  await each('tag', writeTag)
  for (const table of ['project', 'repository', 'content', 'manifest', 'tag']) {
    await db.engine.continueIds(db.query, table)
  }
  await db.transaction(async (tx) => {
    for (const entry of withoutId) await writeTag(tx, entry, true)
  })
  await deriveRows(db, clock)
  onProgress('sums')
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
