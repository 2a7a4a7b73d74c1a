import { join } from 'node:path'
import type { Config } from '../../lib/config.ts'
import { openFileJournal } from './file-journal.ts'

/**
 * Where the journal is kept: beside the blobs, as objects that are written once and whole. Names
 * are `<lineage>/<file>`; see `journal-object.ts`.
 */
export interface JournalStore {
  /** Stores the bytes for good: after this they survive a power loss. */
  put(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** undefined: there is no such object. */
  get(name: string): Promise<Uint8Array | undefined>
  /** All names, in no particular order. */
  list(): AsyncIterable<string>
  /** Names that nobody has are no error. */
  remove(names: readonly string[]): Promise<void>
}

/** The journal of the store that the settings name. @throws AppError invalid_input */
export async function openJournalStore({
  data,
  storage,
}: Pick<Config, 'data' | 'storage'>): Promise<JournalStore> {
  if (storage.driver === 'file') return openFileJournal(join(data, 'journal'))
  // Loaded only here, as with the blobs.
  const { openS3Journal } = await import('./s3-journal.ts')
  return openS3Journal(storage.s3)
}
