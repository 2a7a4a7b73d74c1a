import type { ByteRange } from '../../oci/range.ts'

/*
 * Where bytes are kept. Keys are chosen before the first byte and never used twice, nothing is
 * renamed, and only rows of the database say what a key holds; so a driver needs no more than a
 * file system or an S3 bucket can do, and a leftover can be told from a blob by asking the rows.
 */

export interface BlobStore {
  /** A key that nobody has had before. Nothing is stored yet. */
  newKey(): string
  /**
   * Opens `key` for writing from `position.offset` on; bytes beyond it are dropped. One writer at
   * a time: the caller sees to that.
   */
  append(key: string, position: BlobPosition): Promise<BlobAppender>
  /** Makes the bytes up to `position` the whole content of `key`, durable and readable. */
  complete(key: string, position: BlobPosition): Promise<void>
  /** How the bytes can be had; undefined when they are not there. */
  read(key: string, size: number, range?: ByteRange): Promise<BlobSource | undefined>
  /** Bytes stored under `key`, complete or not; undefined when there are none. */
  size(key: string): Promise<number | undefined>
  /** Removes finished and unfinished content. Keys that hold nothing are no error. */
  remove(keys: readonly string[]): Promise<void>
  /** Bytes that can still be written, roughly; Infinity where that is nobody's concern. */
  room(): Promise<number>
  /** Keys in no particular order, with the time of the last change in milliseconds. */
  list(): AsyncIterable<{ key: string; size: number; modifiedAt: number }>
}

/** Up to where the bytes are safe, and what the driver needs to go on from there. */
export interface BlobPosition {
  offset: number
  state: string | null
}

export interface BlobAppender {
  /** Takes the chunk; it must not be changed afterwards. Await it: that is the back-pressure. */
  write(chunk: Uint8Array): Promise<void>
  /** Makes everything written so far durable. */
  checkpoint(): Promise<BlobPosition>
  /** Safe to call at any time, also twice. Bytes after the last checkpoint may be lost. */
  close(): Promise<void>
}

export type BlobSource =
  /** A file, or a slice of one: sent by the kernel, with an exact Content-Length. */
  | { kind: 'file'; file: Blob }
  /** The client fetches it there, once and soon. */
  | { kind: 'redirect'; url: string }
