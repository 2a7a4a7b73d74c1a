import { AppError } from '../../lib/errors.ts'
import type { OffsetPage } from '../../registry/offset-list.ts'

const DEFAULT_SIZE = 10

interface Asked {
  page?: number | undefined
  pageNo?: number | undefined
  pageSize?: number | undefined
}

/** A page as it is read, and as it is told to the caller. */
export interface PageAsked {
  range: Pick<OffsetPage, 'offset' | 'limit'>
  /** 0 without pages. */
  page: number
  pageSize: number
  /** For the `Warning` header. */
  warning: string | undefined
}

/**
 * Pages count from 1. The document prints 0 as the default and shows page 1 for it, so 0 and none
 * are page 1, and the caller is told.
 * @throws AppError invalid_input when `page` and `pageNo` say different things
 */
export function pageOf({ page, pageNo, pageSize = DEFAULT_SIZE }: Asked): PageAsked {
  if (page !== undefined && pageNo !== undefined && page !== pageNo) {
    throw new AppError(
      'invalid_input',
      `page is ${page} and pageNo is ${pageNo}: they are the same; send one of them`,
      { field: 'pageNo' },
    )
  }
  const asked = page ?? pageNo
  const number = asked || 1
  const how = asked === undefined ? 'pageNo was not sent' : 'pageNo was 0'
  return {
    range: { offset: (number - 1) * pageSize, limit: pageSize },
    page: number,
    pageSize,
    warning: asked ? undefined : `${how}; pages count from 1, and this is page 1`,
  }
}

/** As `pageOf`, for lists that can be asked for at once. */
export function pageOrAll(query: { noPaging?: boolean | undefined } & Asked): PageAsked {
  if (!query.noPaging) return pageOf(query)
  return { range: { offset: 0, limit: undefined }, page: 0, pageSize: 0, warning: undefined }
}

/** Without pages their numbers are not looked at, whatever they say. */
export function withoutIgnored(query: Record<string, string>): Record<string, string> {
  if (!/^(true|1)$/i.test(query.noPaging ?? '')) return query
  const { page, pageNo, pageSize, ...rest } = query
  return rest
}
