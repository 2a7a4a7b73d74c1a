import { z } from '@hono/zod-openapi'

/*
 * What several calls share, with the names and types of the printed samples. Messages complete "it
 * must …".
 */

/** The only one that there is. */
export const INSTANCE = 'ccr-manager' as const

export const id = z.int().openapi({ example: 6 })
export const listTime = z
  .string()
  .openapi({ description: 'In the zone of `ccr.timeZone`', example: '2023-09-19 14:18:52' })
export const utcTime = z
  .string()
  .openapi({ description: 'UTC', example: '2023-09-26T11:52:35.091Z' })
export const instanceId = z.literal(INSTANCE)

/** PostgreSQL cannot hold NUL, and the other control characters help nobody. */
const CONTROL = /[^\P{Cc}\t\n\r]/u

/** Text of people; `max` counts characters as people do. */
export function text(max: number) {
  const rule = `be text of at most ${max} characters, without control characters`
  return z
    .string({ error: rule })
    .refine((value) => [...value].length <= max && !CONTROL.test(value) && value.isWellFormed(), {
      error: rule,
    })
    .openapi({ maxLength: max })
}

const PAGE_RULE = 'be a whole number from 0 to 2147483647'
const SIZE_RULE = 'be a whole number from 1 to 1000'

/** Whole numbers as text; leading zeros are no other number. */
function digits(rule: string, min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,10}$/, { error: rule })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: rule })
}

const pageNumber = digits(PAGE_RULE, 0, 2_147_483_647)
  .optional()
  .openapi({ type: 'integer', description: 'From 1; 0 is page 1', example: 1 })

/** Of every list. */
export const paging = {
  pageNo: pageNumber,
  page: pageNumber.openapi({ description: 'The same as `pageNo`' }),
  pageSize: digits(SIZE_RULE, 1, 1_000)
    .optional()
    .openapi({ type: 'integer', description: '1 to 1000; 10 unless sent', example: 10 }),
}

export const nameHas = text(255)
  .optional()
  .openapi({ description: 'Only names that contain this', example: 'test' })

/** As Go reads booleans; Python writes `True`. */
export const noPaging = z
  .string()
  .regex(/^(true|false|1|0)$/i, { error: 'be true or false' })
  .transform((value) => /^(true|1)$/i.test(value))
  .optional()
  .openapi({ type: 'boolean', description: 'Everything at once; pages are ignored' })
