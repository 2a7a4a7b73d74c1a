import { Database } from 'bun:sqlite'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RecordKey, RecordKind } from '../records.ts'

/*
 * What a rebuild knows while it works: the last state of every row, in a file, since a registry may
 * have more tags than memory. It is made anew by every run, so nothing in it needs to be safe.
 */

export interface Entry {
  owner: number
  name: string
  state: string
}

/** Stored bytes as a record names them. */
export interface ScratchContent {
  id: number
  sha256: string
  size: number
  /** null: the bytes are in the records. */
  key: string | null
}

export interface Scratch {
  /** Keeps the last state of each row. */
  apply(records: readonly { key: RecordKey; state: string | null }[]): void
  /** Removes what is in repositories that the journal does not have (any more). Returns how many. */
  dropStrays(): number
  count(kind: RecordKind): number
  /** All rows of a kind, by owner and name, a few at a time. They may be dropped meanwhile. */
  pages(kind: RecordKind): Generator<Entry[]>
  find(key: RecordKey): string | undefined
  /** Of the manifest's row; quicker than reading its state. */
  manifestId(repository: number, digest: string): number | undefined
  /** This row cannot be brought back. */
  drop(key: RecordKey): void

  /** Gives a name to a row. Returns whose it was before: two cannot be live with one name. */
  takeName(kind: RecordKind, name: string, owner: number): number | undefined
  nameHolder(kind: RecordKind, name: string): number | undefined

  /** Bytes that the store has. */
  addStored(blobs: readonly { key: string; size: number }[]): void
  storedSize(key: string): number | undefined
  /** Notes that a record names the bytes, whether they are right or not. */
  nameStored(key: string): void
  /** Keys that no record names, a few at a time. */
  unnamed(): Generator<{ key: string; size: number }[]>
  /** What was found out about bytes before, by their key. */
  verdict(key: string): string | undefined
  keepVerdict(key: string, verdict: string): void

  /** The row that a digest gets; of several the one with stored bytes, else the last one. */
  addContent(content: ScratchContent): void
  content(sha256: string): ScratchContent | undefined
  close(): void
}

const PAGE = 200
const PAGE_BYTES = 8 * 1024 * 1024

/** @param folder made for it, and removed at the end with what a killed run left */
export function openScratch(folder: string): Scratch {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const db = new Database(join(folder, 'scratch.db'), { create: true, strict: true })
  db.run('pragma journal_mode = off')
  db.run('pragma synchronous = off')
  // One transaction that never ends: each statement by itself would be written out.
  db.run('begin')
  db.run(`create table entry (kind text not null, owner int not null, name text not null,
    size int not null, state text not null, primary key (kind, owner, name))`)
  db.run(`create table taken (kind text not null, name text not null, owner int not null,
    primary key (kind, name)) without rowid`)
  db.run(`create table stored (key text primary key, size int not null,
    named int not null default 0, verdict text) without rowid`)
  db.run(`create table content (sha256 text primary key, id int not null, size int not null,
    key text) without rowid`)

  const put = db.prepare(`insert or replace into entry (kind, owner, name, size, state)
    values ($kind, $owner, $name, $size, $state)`)
  const remove = db.prepare(
    'delete from entry where kind = $kind and owner = $owner and name = $name',
  )
  const find = db.prepare<{ state: string }, { kind: string; owner: number; name: string }>(
    'select state from entry where kind = $kind and owner = $owner and name = $name',
  )
  const manifestId = db.prepare<{ id: number }, { owner: number; name: string }>(
    `select state ->> 'id' as id from entry
     where kind = 'manifest' and owner = $owner and name = $name`,
  )
  const page = db.prepare<
    Entry & { size: number },
    { kind: string; owner: number; name: string; limit: number }
  >(`select owner, name, size from entry where kind = $kind and (owner, name) > ($owner, $name)
    order by owner, name limit $limit`)
  const holder = db.prepare<{ owner: number }, { kind: string; name: string }>(
    'select owner from taken where kind = $kind and name = $name',
  )
  const take = db.prepare(
    'insert or replace into taken (kind, name, owner) values ($kind, $name, $owner)',
  )
  const addStored = db.prepare('insert or replace into stored (key, size) values ($key, $size)')
  const stored = db.prepare<{ size: number; verdict: string | null }, { key: string }>(
    'select size, verdict from stored where key = $key',
  )
  const nameStored = db.prepare('update stored set named = 1 where key = $key')
  const keepVerdict = db.prepare('update stored set verdict = $verdict where key = $key')
  const unnamed = db.prepare<{ key: string; size: number }, { after: string; limit: number }>(
    'select key, size from stored where named = 0 and key > $after order by key limit $limit',
  )
  const addContent = db.prepare(`insert into content (sha256, id, size, key)
    values ($sha256, $id, $size, $key) on conflict (sha256) do update
    set id = excluded.id, size = excluded.size, key = excluded.key
    where (excluded.key is not null, excluded.id) > (content.key is not null, content.id)`)
  const content = db.prepare<ScratchContent, { sha256: string }>(
    'select sha256, id, size, key from content where sha256 = $sha256',
  )
  const statements = [put, remove, find, page, addStored, stored, nameStored, keepVerdict]
  statements.push(unnamed, addContent, content, holder, take, manifestId)

  return {
    apply(records) {
      for (const { key, state } of records) {
        if (state === null) remove.run({ ...key })
        else put.run({ ...key, size: state.length, state })
      }
    },
    dropStrays() {
      return db.run(`delete from entry where kind in ('blob', 'manifest', 'tag')
        and owner not in (select owner from entry where kind = 'repository')`).changes
    },
    count(kind) {
      const row = db
        .query<{ count: number }, { kind: string }>(
          'select count(*) as count from entry where kind = $kind',
        )
        .get({ kind })
      return row?.count ?? 0
    },
    *pages(kind) {
      for (let after = { owner: -1, name: '' }; ; ) {
        const rows = page.all({ kind, ...after, limit: PAGE })
        if (rows.length === 0) return
        let some: Entry[] = []
        let size = 0
        for (const { owner, name, size: own } of rows) {
          const state = find.get({ kind, owner, name })?.state
          if (state !== undefined) some.push({ owner, name, state })
          size += own
          if (size < PAGE_BYTES) continue
          yield some
          some = []
          size = 0
        }
        yield some
        const { owner, name } = rows.at(-1) ?? after
        after = { owner, name }
      }
    },
    find: (key) => find.get({ ...key })?.state,
    manifestId: (owner, name) => manifestId.get({ owner, name })?.id,
    drop(key) {
      remove.run({ ...key })
    },
    takeName(kind, name, owner) {
      const before = holder.get({ kind, name })?.owner
      take.run({ kind, name, owner })
      return before
    },
    nameHolder: (kind, name) => holder.get({ kind, name })?.owner,
    addStored(blobs) {
      for (const { key, size } of blobs) addStored.run({ key, size })
    },
    storedSize: (key) => stored.get({ key })?.size,
    nameStored(key) {
      nameStored.run({ key })
    },
    *unnamed() {
      for (let after = ''; ; ) {
        const rows = unnamed.all({ after, limit: PAGE })
        if (rows.length === 0) return
        yield rows
        after = rows.at(-1)?.key ?? after
      }
    },
    verdict: (key) => stored.get({ key })?.verdict ?? undefined,
    keepVerdict(key, verdict) {
      keepVerdict.run({ key, verdict })
    },
    addContent(one) {
      addContent.run({ sha256: one.sha256, id: one.id, size: one.size, key: one.key })
    },
    content: (sha256) => content.get({ sha256 }) ?? undefined,
    close() {
      for (const statement of statements) statement.finalize()
      db.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
