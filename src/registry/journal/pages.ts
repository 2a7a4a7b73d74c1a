import { z } from 'zod'
import type { Queryable } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'
import { type EncodedRecord, KINDS } from './records.ts'
import {
  blobRecords,
  blobs,
  inlineSize,
  MOST_BYTES,
  MOST_RECORDS,
  manifestRecords,
  manifests,
  projectRecord,
  projects,
  repositories,
  repositoryRecord,
  tagRecord,
  tags,
  within,
} from './states.ts'

/** Where a snapshot goes on: after this row. Survives in the row of the journal. */
export const cursorSchema = z.object({ kind: z.enum(KINDS), owner: z.number(), name: z.string() })

export type Cursor = z.infer<typeof cursorSchema>

export const FIRST: Cursor = { kind: 'project', owner: 0, name: '' }

export interface Page {
  records: EncodedRecord[]
  /** undefined: that was all. */
  next: Cursor | undefined
}

/** An object that has less takes what comes next too. */
const FEW_RECORDS = MOST_RECORDS / 2
const FEW_CHARACTERS = 1024 * 1024

/** The rows after `cursor` that are live, and in live repositories. */
export async function readPage(on: Queryable, cursor: Cursor): Promise<Page> {
  const records: EncodedRecord[] = []
  let characters = 0
  let next: Cursor | undefined = cursor
  while (next && records.length < FEW_RECORDS && characters < FEW_CHARACTERS) {
    const page = await readSome(on, next)
    records.push(...page.records)
    characters += page.records.reduce((sum, { line }) => sum + line.length, 0)
    next = page.next
  }
  return { records, next }
}

async function readSome(on: Queryable, cursor: Cursor): Promise<Page> {
  const { records, last } = await READERS[cursor.kind](on, cursor)
  if (last) return { records, next: { ...last, kind: cursor.kind } }
  const kind = KINDS[KINDS.indexOf(cursor.kind) + 1]
  return { records, next: kind && { kind, owner: 0, name: '' } }
}

interface Part {
  records: EncodedRecord[]
  /** undefined: there are no more of the kind. */
  last: Omit<Cursor, 'kind'> | undefined
}

type Reader = (on: Queryable, after: Cursor) => Promise<Part>

const READERS: Record<Cursor['kind'], Reader> = {
  async project(on, { owner }) {
    const rows = await projects(on)
      .where('id', '>', owner)
      .orderBy('id')
      .limit(MOST_RECORDS)
      .execute()
    return partOf(rows.map(projectRecord), rows.length, rows.at(-1)?.id)
  },

  async repository(on, { owner }) {
    const rows = await repositories(on)
      .where('id', '>', owner)
      .orderBy('id')
      .limit(MOST_RECORDS)
      .execute()
    return partOf(rows.map(repositoryRecord), rows.length, rows.at(-1)?.id)
  },

  async blob(on, { owner, name }) {
    const rows = await blobs(on)
      .innerJoin('repository', 'repository.id', 'repository_blob.repository')
      .where('repository.state', '=', LIVE)
      .where((eb) =>
        eb(
          eb.refTuple('repository_blob.repository', 'repository_blob.digest'),
          '>',
          eb.tuple(owner, name),
        ),
      )
      .orderBy('repository_blob.repository')
      .orderBy('repository_blob.digest')
      .limit(MOST_RECORDS)
      .execute()
    const some = within(MOST_BYTES, rows, inlineSize)
    const count = some.length < rows.length ? MOST_RECORDS : rows.length
    const last = some.at(-1)
    return partOf(await blobRecords(on, some), count, last?.repository, last?.digest)
  },

  async manifest(on, { owner }) {
    const rows = await manifests(on)
      .innerJoin('repository', 'repository.id', 'manifest.repository')
      .where('repository.state', '=', LIVE)
      .where('manifest.id', '>', owner)
      .orderBy('manifest.id')
      .limit(MOST_RECORDS)
      .execute()
    const some = within(MOST_BYTES, rows, (row) => row.size)
    const count = some.length < rows.length ? MOST_RECORDS : rows.length
    return partOf(await manifestRecords(on, some), count, some.at(-1)?.id)
  },

  async tag(on, { owner }) {
    const rows = await tags(on)
      .innerJoin('repository', 'repository.id', 'tag.repository')
      .where('repository.state', '=', LIVE)
      .where('tag.id', '>', owner)
      .orderBy('tag.id')
      .limit(MOST_RECORDS)
      .execute()
    return partOf(rows.map(tagRecord), rows.length, rows.at(-1)?.id)
  },
}

function partOf(
  records: EncodedRecord[],
  count: number,
  owner: number | undefined,
  name = '',
): Part {
  const isLast = count < MOST_RECORDS || owner === undefined
  return { records, last: isLast ? undefined : { owner, name } }
}
