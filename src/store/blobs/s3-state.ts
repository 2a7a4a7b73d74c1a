import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import type { BlobPosition } from './blob-store.ts'

/** A part that the server has: its tag and its bytes. Its number is its place in the list. */
export type S3Part = [etag: string, size: number]

/**
 * The bytes after the parts, fewer than a part in the middle may have. They lie in an object of
 * their own, from which the next writer goes on, and in a last part, with which the upload can be
 * completed at once. Two names and numbers take turns, since a crash must leave the ones that the
 * row names.
 */
export interface S3Tail {
  name: 0 | 1
  etag: string
  size: number
}

/** What the row of an upload keeps for us. */
export type S3State =
  /** So few bytes that the object itself holds them. */
  | { object: number }
  | {
      upload: string
      parts: S3Part[]
      tail?: S3Tail | undefined
      /** There were tails, whose objects have to go. */
      hadTail?: boolean | undefined
    }

const form = z.union([
  z.object({ object: z.number() }),
  z.object({
    upload: z.string(),
    parts: z.array(z.tuple([z.string(), z.number()])),
    tail: z
      .object({
        name: z.union([z.literal(0), z.literal(1)]),
        etag: z.string(),
        size: z.number(),
      })
      .optional(),
    hadTail: z.boolean().optional(),
  }),
])

/** Parts may have these numbers, the last one aside. */
export const MAX_PARTS = 9_998

export function tailNumber({ name }: Pick<S3Tail, 'name'>): number {
  return MAX_PARTS + 1 + name
}

/** @throws AppError internal when the state does not hold as many bytes as it says */
export function readState({ offset, state }: BlobPosition): S3State | undefined {
  if (offset === 0) return undefined
  const parsed: unknown = state === null ? undefined : JSON.parse(state)
  const found = form.safeParse(parsed).data
  if (found && sizeOf(found) === offset) return found
  throw new AppError('internal', `an upload of ${offset} bytes has lost track of them`)
}

export function positionOf(state: S3State): BlobPosition {
  return { offset: sizeOf(state), state: JSON.stringify(state) }
}

function sizeOf(state: S3State): number {
  if ('object' in state) return state.object
  return state.parts.reduce((sum, [, size]) => sum + size, state.tail?.size ?? 0)
}
