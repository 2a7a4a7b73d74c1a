import type { Generated } from 'kysely'

/* What the journal in the store still has to be told, and how far it is. */

/**
 * Something that changed and is not in the journal yet. Triggers write these rows in the
 * transaction of the change (migration 0034), so no way of changing can forget to.
 */
export interface JournalChangeTable {
  id: Generated<number>
  /** `snapshot`: so much came back that the journal has to be written anew. */
  kind: 'project' | 'repository' | 'blob' | 'manifest' | 'tag' | 'snapshot'
  /** Of projects and repositories their own id, of all else that of the repository. */
  owner: number
  /** Digest of a blob or manifest, name of a tag; else empty. */
  name: string
  /** Of a tag: the manifest that it pointed at after the change; null: it was removed. */
  target: number | null
  /** By the clock of the database. */
  at: number
}

/** One row: how far this database has written its journal. */
export interface JournalHeadTable {
  id: number
  /** Names this journal in the store. */
  lineage: string
  /** A former journal of the same content, removed when this one is complete. */
  replaces: string | null
  /** Of the last object that somebody began to write. */
  sequence: Generated<number>
  /** Of the last object that is surely stored. */
  acknowledged: Generated<number>
  /** First object of the last complete snapshot, and the one that ends it. */
  snapshot_start: number | null
  snapshot_end: number | null
  /** The same of a snapshot that is being written, and where it goes on (JSON). */
  next_start: number | null
  next_cursor: string | null
  /** Size of the last snapshot, and of the changes that were written since it began. */
  snapshot_bytes: Generated<number>
  snapshot_objects: Generated<number>
  change_bytes: Generated<number>
  change_objects: Generated<number>
  /** Which process writes, until when unless it renews that. */
  writer: string | null
  writer_until: Generated<number>
}
