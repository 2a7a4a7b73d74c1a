import { type Page, pageOf, rowsToRead } from '../../accounts/page.ts'
import { AppError } from '../../lib/errors.ts'
import type { Reply } from './route.ts'

/** A page as the answer to a list. */
export function listReply<T>({ items, next }: Page<T>): Reply<{ items: T[]; next: string | null }> {
  return { body: { items, next: next ?? null }, next }
}

/** For lists that give rows: reads one more than asked, which tells whether there is a next page. */
export async function readPage<T>(
  limit: number | undefined,
  read: (limit: number) => Promise<T[]>,
  keyOf: (item: T) => string,
): Promise<Page<T>> {
  const count = rowsToRead({ limit })
  return pageOf(await read(count), count, keyOf, (item) => item)
}

/** `after` of a list by id. @throws AppError invalid_input */
export function idAfter(after: string | undefined): { before?: number } {
  if (after === undefined) return {}
  if (!/^\d{1,15}$/.test(after)) throw afterInvalid()
  return { before: Number(after) }
}

export function afterInvalid(): AppError {
  return new AppError('invalid_input', '"after" must be the "next" of the page before', {
    field: 'after',
  })
}
