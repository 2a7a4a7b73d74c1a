import type { ByteRange } from '../../oci/range.ts'

/*
 * Where bytes are kept. Keys are chosen before the first byte and never used twice, nothing is
 * renamed, and only rows of the database say what a key holds; so a driver needs no more than a
 * file system or an S3 bucket can do, and a leftover can be told from a blob by asking the rows.
 */

export interface BlobStore {
  /**
   * True where unfinished bytes cannot be read and finished ones only through a network: then the
   * hash of an upload is worth keeping.
   */
  readonly isRemote: boolean
  /**
   * Writes, reads and removes a few bytes, so that a start fails rather than the first push.
   * @throws AppError with a sentence for whoever wrote the settings
   */
  prove(): Promise<void>
  /** A key that nobody has had before. Nothing is stored yet. */
  newKey(): string
  /**
   * Opens `key` for writing from `position.offset` on; bytes beyond it are dropped. One writer at
   * a time: the caller sees to that.
   */
  append(key: string, position: BlobPosition): Promise<BlobAppender>
  /** Makes the bytes up to `position` the whole content of `key`, durable and readable. */
  complete(key: string, position: BlobPosition): Promise<void>
  /**
   * Makes the bytes of `key` up to `position` the beginning of `newKey`, whatever a former writer
   * of `key` may still do there. Afterwards they can be read under `key` as if it were complete.
   */
  adopt(key: string, position: BlobPosition, newKey: string): Promise<BlobPosition>
  /**
   * How the bytes can be had by a client; undefined when they are not there, as far as that is
   * known. Only who `mayRedirect` is sent elsewhere.
   */
  read(
    key: string,
    size: number,
    range?: ByteRange,
    options?: { mayRedirect?: boolean },
  ): Promise<BlobSource | undefined>
  /** The bytes for somebody in this process; undefined when they are not there, all of them. */
  stream(key: string, size: number): Promise<AsyncIterable<Uint8Array> | undefined>
  /** Bytes stored under `key`, complete or not; undefined when there are none. */
  size(key: string): Promise<number | undefined>
  /** Removes finished and unfinished content. Keys that hold nothing are no error. */
  remove(keys: readonly string[]): Promise<void>
  /** Removes what is unfinished under the keys and leaves what is complete. */
  removeUnfinished(keys: readonly string[]): Promise<void>
  /** Bytes that can still be written, roughly; Infinity where that is nobody's concern. */
  room(): Promise<number>
  /**
   * Keys in no particular order, with the time of the last change in milliseconds; one may come
   * several times. `isUnfinished`: surely no complete content, but bytes on the way to one.
   */
  list(): AsyncIterable<StoredKey>
}

export interface StoredKey {
  key: string
  size: number
  modifiedAt: number
  isUnfinished: boolean
}

/** Up to where the bytes are safe, and what the driver needs to go on from there. */
export interface BlobPosition {
  offset: number
  state: string | null
}

export interface BlobAppender {
  /** Takes the chunk; it must not be changed afterwards. Await it: that is the back-pressure. */
  write(chunk: Uint8Array): Promise<void>
  /**
   * Makes everything written so far durable. `isLast`: nothing follows but `complete`, so that
   * nothing has to be kept for a next writer.
   */
  checkpoint(options?: { isLast?: boolean }): Promise<BlobPosition>
  /** Safe to call at any time, also twice. Bytes after the last checkpoint may be lost. */
  close(): Promise<void>
}

export type BlobSource =
  /** A file, or a slice of one: sent by the kernel, with an exact Content-Length. */
  | { kind: 'file'; file: Blob }
  /** Passed on as it comes, where there is no room for a copy: Bun sends no Content-Length then. */
  | { kind: 'stream'; stream: ReadableStream<Uint8Array> }
  /** The client fetches it there, once and soon. */
  | { kind: 'redirect'; url: string }
