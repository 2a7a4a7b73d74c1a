import { z } from '@hono/zod-openapi'
import { physicalBytes, readOverview } from '../../registry/overview.ts'
import { usageOf } from '../../registry/usage.ts'
import { dayOf, readUsageDays, type UsageDay, type UsageScope } from '../../registry/usage-days.ts'
import type { ApiDeps } from './api.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { time } from './schemas.ts'

/* Use over time: one entry for each day of UTC on which something was measured or counted. */

const DAYS = 90
const MOST_DAYS = 731

const UsageDays = z
  .object({
    items: z.array(
      z
        .object({
          at: time.openapi({ description: 'When the day began in UTC' }),
          logicalBytes: z
            .int()
            .nullable()
            .openapi({ description: 'Each blob once per repository' }),
          uniqueBytes: z.int().nullable().openapi({ description: 'Each blob once per project' }),
          physicalBytes: z
            .int()
            .nullable()
            .openapi({ description: 'In the store; null: not for you, or of one project' }),
          pushes: z.int().openapi({ description: 'Manifests that were given a tag' }),
          pulls: z
            .int()
            .openapi({ description: 'Reads of manifests other than parts of an index' }),
        })
        .openapi('UsageDay'),
    ),
  })
  .openapi('UsageDays')

const query = {
  days: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'must be a whole number from 1 to 731')
    .transform((digits) => Math.min(Number(digits), MOST_DAYS))
    .optional()
    .openapi({ type: 'integer', description: `Up to today; ${DAYS} unless set`, example: 30 }),
}

export const usageRoutes = {
  ofSystem: route({
    name: 'system.usage',
    method: 'GET',
    path: '/usage',
    summary: 'What was used and how much was pushed and pulled, by day, as far as you may see it',
    permission: 'open',
    on: 'system',
    query,
    output: UsageDays,
  }),
  ofProject: route({
    name: 'project.usage',
    method: 'GET',
    path: '/projects/{project}/usage',
    summary: 'What a project used and how much was pushed and pulled, by day',
    permission: 'project:read',
    on: 'project',
    query,
    output: UsageDays,
  }),
}

type Sizes = Pick<UsageDay, 'logicalBytes' | 'uniqueBytes' | 'physicalBytes'>

export function usageEndpoints({ db, clock }: ApiDeps): Endpoint[] {
  /** Days are measured by the hour; the sizes of today are those of now. */
  async function daysOf(scope: UsageScope, days: number = DAYS, sizes: Sizes): Promise<UsageDay[]> {
    const now = clock()
    const items = await readUsageDays(db.query, scope, { days, now })
    const last = items.at(-1)
    const isToday = last !== undefined && dayOf(last.at) === dayOf(now)
    const { pushes, pulls } = isToday ? last : { pushes: 0, pulls: 0 }
    const at = dayOf(now) * 86_400_000
    return [...(isToday ? items.slice(0, -1) : items), { at, ...sizes, pushes, pulls }]
  }

  return [
    endpoint(usageRoutes.ofSystem, async ({ principal, query: { days } }) => {
      const viewer = principal.isAdmin ? 'all' : principal.account
      const { logicalBytes, uniqueBytes } = await readOverview(db, viewer, 0)
      const stored = viewer === 'all' ? await physicalBytes(db) : null
      const sizes = { logicalBytes, uniqueBytes, physicalBytes: stored }
      return { body: { items: await daysOf({ viewer }, days, sizes) } }
    }),

    endpoint(usageRoutes.ofProject, async ({ project, query: { days } }) => {
      const sizes = { ...(await usageOf(db.query, project.id)), physicalBytes: null }
      return { body: { items: await daysOf({ project: project.id }, days, sizes) } }
    }),
  ]
}
