import type { BlobSource } from './blob-store.ts'

/** All bytes of what was opened, in memory; undefined where a client would be sent elsewhere. */
export async function bytesOf(
  source: BlobSource | Uint8Array,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (source instanceof Uint8Array) return new Uint8Array(source)
  switch (source.kind) {
    case 'file':
      return new Uint8Array(await source.file.arrayBuffer())
    case 'stream':
      return new Uint8Array(await new Response(source.stream).arrayBuffer())
    case 'redirect':
      return undefined
  }
}
