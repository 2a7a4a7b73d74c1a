import type { z } from 'zod'
import { AppError } from '../../lib/errors.ts'

/** The place in a listing, as an opaque text that holds no secret. */
export function encodeCursor(place: unknown): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** undefined: the beginning. @throws AppError when it is none of ours */
export function decodeCursor<T>(schema: z.ZodType<T>, cursor: string | undefined): T | undefined {
  if (cursor === undefined) return undefined
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
  } catch {
    throw new AppError('invalid_input', 'this is not the place of a page that was given out', {
      field: 'next',
    })
  }
}
