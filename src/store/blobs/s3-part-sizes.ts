const MIB = 1024 * 1024

/** Up to this size an object is put in one request. */
export const ONE_PUT_BYTES = 8 * MIB
/** S3 takes no smaller part but the last one. */
export const MIN_PART_BYTES = 5 * MIB
/**
 * So many bytes are gathered before the first part is sent. Then what a request leaves over, if it
 * is of less, is never too small to be a part: an object of its own would have to keep it.
 */
export const FIRST_BUFFER_BYTES = ONE_PUT_BYTES + MIN_PART_BYTES
/** A part larger than this waits on the disk instead of in memory. */
export const MEMORY_PART_BYTES = 64 * MIB

const SIZES = [
  { upTo: 1_000, size: ONE_PUT_BYTES },
  { upTo: 2_000, size: 16 * MIB },
  { upTo: 3_000, size: 32 * MIB },
  { upTo: 8_000, size: MEMORY_PART_BYTES },
]
const LARGEST = 2_560 * MIB

/**
 * The size of a part by its number, from 1. An upload may have 10,000 parts and 5 TiB, and nobody
 * says before how large it will be: so the first gigabytes go in small parts, and only what is
 * beyond 367 GiB in parts that no memory should hold.
 */
export function partSize(number: number): number {
  return SIZES.find(({ upTo }) => number <= upTo)?.size ?? LARGEST
}
