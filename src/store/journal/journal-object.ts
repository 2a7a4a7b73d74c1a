import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'

/*
 * One object of the journal: a line with the checksum of all that follows, a line of JSON that says
 * what it is, and lines of JSON packed with gzip. With head, tail and gunzip a person can read it.
 *
 * Names sort by number: `<lineage>/<16 digits>.<kind>`. The kind stands in the name too, so that a
 * list tells which snapshots are complete.
 */

const MAGIC = 'entrepot-journal'
const VERSION = 1
/** What is written is a few megabytes; that much is surely nothing of ours. */
const MOST_UNPACKED = 512 * 1024 * 1024
/** Of a `Date`. */
const LATEST = 8.64e15
const NAME = /^(?<lineage>[0-9a-f]{16})\/(?<sequence>[0-9]{16})\.(?<kind>changes|page|end)$/

/**
 * `changes`: what became of rows that changed. `page`: what is, as a part of a snapshot. `end`: from
 * the object `start` to this one everything was written down, so older ones are not needed.
 */
export type ObjectKind = 'changes' | 'page' | 'end'

export interface ObjectName {
  lineage: string
  sequence: number
  kind: ObjectKind
}

const headerSchema = z.object({
  version: z.literal(VERSION),
  lineage: z.string(),
  sequence: z.number(),
  kind: z.enum(['changes', 'page', 'end']),
  /** The object before it that was surely stored; 0: none. One that is missing is a loss. */
  previous: z.number(),
  /** Of the snapshot that an `end` ends. */
  start: z.number().optional(),
  /** What names the installation to others, with an `end`. */
  installation: z.string().optional(),
  /** Epoch milliseconds. */
  at: z.int().min(0).max(LATEST),
  records: z.number(),
})

export type ObjectHeader = Omit<z.infer<typeof headerSchema>, 'version' | 'records'>

export interface JournalObject {
  header: ObjectHeader
  /** One JSON value each. */
  records: string[]
}

export function nameOfObject({ lineage, sequence, kind }: ObjectName): string {
  return `${lineage}/${String(sequence).padStart(16, '0')}.${kind}`
}

/** undefined: not one of ours. */
export function parseObjectName(name: string): ObjectName | undefined {
  const { lineage, sequence, kind } = NAME.exec(name)?.groups ?? {}
  if (!lineage || !sequence || !kind) return undefined
  return { lineage, sequence: Number(sequence), kind: kind as ObjectKind }
}

export function encodeObject({ header, records }: JournalObject): Uint8Array<ArrayBuffer> {
  const line = JSON.stringify({ version: VERSION, ...header, records: records.length })
  const packed = Bun.gzipSync(Buffer.from(records.map((record) => `${record}\n`).join('')))
  const body = Buffer.concat([Buffer.from(`${line}\n`), packed])
  return Buffer.concat([Buffer.from(`${MAGIC} ${VERSION} ${hashOf(body)}\n`), body])
}

/** @throws AppError invalid_input with what is wrong; completes "journal object x …" */
export function decodeObject(
  name: string,
  bytes: Uint8Array,
  mostUnpacked = MOST_UNPACKED,
): JournalObject {
  const first = bytes.indexOf(10)
  const [magic, version, hash] = textOf(bytes.subarray(0, Math.max(first, 0))).split(' ')
  if (magic !== MAGIC) throw wrong('is not one of a journal')
  if (version !== String(VERSION)) {
    throw wrong(`has the format ${version?.slice(0, 20)}, which this version does not know`)
  }
  const body = bytes.subarray(first + 1)
  if (hashOf(body) !== hash) throw wrong('is damaged: its checksum is not that of its bytes')
  const second = body.indexOf(10)
  const header = headerSchema.safeParse(parseJson(textOf(body.subarray(0, Math.max(second, 0)))))
  if (!header.success) throw wrong('has a header that cannot be read')
  const { records, version: _, start, installation, ...rest } = header.data
  if (nameOfObject(rest) !== name) throw wrong(`calls itself ${nameOfObject(rest)}`)
  const lines = textOf(unpacked(body.subarray(second + 1), mostUnpacked)).split('\n')
  lines.pop()
  if (lines.length !== records) throw wrong(`has ${lines.length} records instead of ${records}`)
  return {
    header: {
      ...rest,
      ...(start === undefined ? {} : { start }),
      ...(installation === undefined ? {} : { installation }),
    },
    records: lines,
  }
}

function unpacked(bytes: Uint8Array, most: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: most })
  } catch (error) {
    throw new AppError('invalid_input', 'cannot be unpacked', {}, error)
  }
}

function hashOf(bytes: Uint8Array): string {
  return Bun.CryptoHasher.hash('sha256', bytes, 'hex')
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function wrong(what: string): AppError {
  return new AppError('invalid_input', what)
}
