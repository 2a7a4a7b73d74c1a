import { z } from '@hono/zod-openapi'
import { because } from '../../lib/reasons.ts'

/*
 * What several resources share. Times are epoch milliseconds, sizes bytes, as in the database.
 */

export const id = z.int().min(1).openapi({ example: 7 })
export const time = z.int().openapi({ description: 'Epoch milliseconds', example: 1767225600000 })
export const expiry = time.nullable().openapi({ description: 'null: never' })
export const version = z.int().openapi({ description: 'Changes with every update; the ETag' })
export const digest = z.string().openapi({ example: `sha256:${'0'.repeat(64)}` })
export const role = z.enum(['guest', 'developer', 'maintainer', 'admin'])
export const robotRole = z.enum(['guest', 'developer', 'maintainer'])

/** PostgreSQL cannot hold NUL, and the other control characters help nobody. */
const CONTROL = /[^\P{Cc}\t\n\r]/u

/** Text of people, of several lines. */
export const text = (max: number) =>
  z
    .string()
    .max(max, `must have at most ${max} characters`)
    .refine((value) => !CONTROL.test(value) && value.isWellFormed(), {
      error: 'must not have control characters',
      params: because('field_control', {}),
    })

/** An id in a path; one that cannot exist is refused before the database is asked. */
export const idInPath = z
  .string()
  .regex(/^[1-9]\d{0,14}$/, 'must be an id')
  .transform(Number)
  .openapi({ type: 'integer', example: 7 })

/** The name of a person or robot, or its id in digits. */
export const account = z
  .string()
  .regex(/^[a-z0-9._+-]{1,320}$/, 'must be a name or an id')
  .openapi({ description: 'Name, or id; a name of digits comes first', example: 'alice' })

export const flag = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .openapi({ type: 'boolean' })

/** Query of every list. */
export const page = {
  limit: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a whole number from 1')
    .transform((digits) => Math.min(Number(digits), 1_000))
    .optional()
    .openapi({ type: 'integer', description: 'At most 1000; 100 unless set', example: 100 }),
  after: text(512).optional().openapi({ description: 'The `next` of the page before' }),
}

/** One page of a list. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    next: z
      .string()
      .nullable()
      .openapi({ description: '`after` of the next page; null: the last' }),
  })

/** Of a sentence that the console has words for. */
export const saysValue = z.object({
  name: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
})

export const says = saysValue
  .optional()
  .openapi({ description: 'The same for programs, as `reason` of errors' })
