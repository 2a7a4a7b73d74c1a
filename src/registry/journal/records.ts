import { z } from 'zod'

/*
 * What the journal says of one row: its present state, or that it is gone. Whoever reads the
 * records in order and keeps the last one of each has what the database had. No accounts and no
 * secrets: nothing here tells who did something.
 */

const contentSchema = z.object({
  id: z.int(),
  /** Hex. */
  sha256: z.string(),
  size: z.int(),
  /** Where its bytes are in the store; null: they are in the record. */
  key: z.string().nullable(),
})

const projectSchema = z.object({
  name: z.string(),
  alias: z.string().nullable(),
  kind: z.enum(['local', 'proxy']),
  isPublic: z.boolean(),
  quota: z.int(),
  description: z.string(),
  createdAt: z.int(),
  updatedAt: z.int(),
})

const repositorySchema = z.object({
  project: z.int(),
  name: z.string(),
  summary: z.string(),
  description: z.string(),
  createdAt: z.int(),
  updatedAt: z.int(),
})

const blobSchema = z.object({
  content: contentSchema,
  /** Base64, of contents without a key. */
  bytes: z.string().optional(),
  createdAt: z.int(),
})

const manifestSchema = z.object({
  id: z.int(),
  mediaType: z.string(),
  content: contentSchema,
  /** Base64. All else that is known of a manifest follows from its bytes, but for `details`. */
  bytes: z.string(),
  /** `ImageDetails`, JSON. */
  details: z.string().nullable(),
  createdAt: z.int(),
})

const tagSchema = z.object({
  id: z.int(),
  digest: z.string(),
  immutable: z.boolean(),
  createdAt: z.int(),
  updatedAt: z.int(),
})

const STATES = {
  project: projectSchema,
  repository: repositorySchema,
  blob: blobSchema,
  manifest: manifestSchema,
  tag: tagSchema,
} as const

export const KINDS = Object.keys(STATES) as RecordKind[]

export type RecordKind = keyof typeof STATES
export type StateOf<K extends RecordKind> = z.infer<(typeof STATES)[K]>
export type ContentState = z.infer<typeof contentSchema>

/** Which row: as in the table `journal_change`. */
export interface RecordKey {
  kind: RecordKind
  owner: number
  name: string
}

const recordSchema = z.object({
  kind: z.enum(KINDS),
  owner: z.int().min(0),
  name: z.string(),
  state: z.unknown(),
})

/** A record as it stands in an object, and of which row it is. */
export interface EncodedRecord extends RecordKey {
  line: string
}

/** `state` null: the row is gone, or in the trash. */
export function encodeRecord<K extends RecordKind>(
  key: RecordKey & { kind: K },
  state: StateOf<K> | null,
): EncodedRecord {
  const { kind, owner, name } = key
  return { kind, owner, name, line: JSON.stringify({ kind, owner, name, state }) }
}

/** The key, and the state as text; see `parseState`. @throws when it is no record */
export function decodeRecord(line: string): { key: RecordKey; state: string | null } {
  const { kind, owner, name, state } = recordSchema.parse(JSON.parse(line))
  const key = { kind, owner, name }
  if (state == null) return { key, state: null }
  STATES[kind].parse(state)
  return { key, state: JSON.stringify(state) }
}

/** @throws when the text is no state of this kind */
export function parseState<K extends RecordKind>(kind: K, text: string): StateOf<K> {
  return STATES[kind].parse(JSON.parse(text)) as StateOf<K>
}
