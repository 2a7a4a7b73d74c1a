import { z } from '@hono/zod-openapi'
import type { Viewer } from '../../registry/offset-list.ts'
import {
  DAY_MS,
  dayOf,
  measureUsage,
  readUsageDays,
  type UsageDay,
  type UsageScope,
} from '../../registry/usage-days.ts'
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
          physicalBytes: z.int().nullable().openapi({
            description: 'In the store; null: not for you, of one project, or not measured',
          }),
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

export function usageEndpoints({ db, clock }: ApiDeps): Endpoint[] {
  /** Days are measured by the hour; what is used today is what is used now. */
  async function daysOf(scope: UsageScope, days: number = DAYS): Promise<UsageDay[]> {
    const now = clock()
    const items = await readUsageDays(db.query, scope, { days, now })
    const { logicalBytes, uniqueBytes } = await measureUsage(db.query, scope)
    const last = items.at(-1)
    const today =
      last && dayOf(last.at) === dayOf(now)
        ? last
        : { at: dayOf(now) * DAY_MS, physicalBytes: null, pushes: 0, pulls: 0 }
    return [...items.filter((day) => day !== today), { ...today, logicalBytes, uniqueBytes }]
  }

  return [
    endpoint(usageRoutes.ofSystem, async ({ principal, query: { days } }) => {
      const viewer: Viewer = principal.isAdmin ? 'all' : principal.account
      return { body: { items: await daysOf({ viewer }, days) } }
    }),

    endpoint(usageRoutes.ofProject, async ({ project, query: { days } }) => ({
      body: { items: await daysOf({ project: project.id }, days) },
    })),
  ]
}
