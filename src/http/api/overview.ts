import { z } from '@hono/zod-openapi'
import { physicalBytes, readOverview } from '../../registry/overview.ts'
import type { ApiDeps } from './api.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { id } from './schemas.ts'

const MOST_PROJECTS = 8

const bytes = (description: string) => z.int().openapi({ description })

const Overview = z
  .object({
    projects: z.int(),
    repositories: z.int(),
    tags: z.int(),
    logicalBytes: bytes('Each blob once per repository'),
    uniqueBytes: bytes('Each blob once per project'),
    physicalBytes: bytes('In the store, to within a minute; null: not for you').nullable(),
    largest: z
      .array(
        z.object({
          id,
          name: z.string(),
          public: z.boolean(),
          quota: z.int(),
          uniqueBytes: z.int(),
          repositoryCount: z.int(),
        }),
      )
      .openapi({ description: 'Projects that use most' }),
    jobs: z
      .object({ running: z.int(), queued: z.int(), failed: z.int() })
      .nullable()
      .openapi({ description: 'Work in the background, at most 1000 of each; null: not for you' }),
  })
  .openapi('Overview')

export const overviewRoutes = {
  get: route({
    name: 'system.overview',
    method: 'GET',
    path: '/overview',
    summary: 'How much there is, as far as you may see it',
    permission: 'open',
    on: 'system',
    output: Overview,
  }),
}

export function overviewEndpoints({ db, clock, accounts, queue }: ApiDeps): Endpoint[] {
  const count = async (state: 'running' | 'queued' | 'failed') =>
    (await queue.list({ states: [state], limit: 1_000 })).items.length

  let measured: { bytes: number; until: number } | undefined
  /** Reads a row for each blob, so that it is good for a minute. */
  async function physical(): Promise<number> {
    if (!measured || measured.until <= clock()) {
      measured = { bytes: await physicalBytes(db), until: clock() + 60_000 }
    }
    return measured.bytes
  }

  return [
    endpoint(overviewRoutes.get, async ({ principal }) => {
      const viewer = principal.isAdmin ? 'all' : principal.account
      const { largest, ...sums } = await readOverview(db, viewer, MOST_PROJECTS)
      const system = await accounts.authorizer.authorize(principal, 'system:read', {
        kind: 'system',
      })
      return {
        body: {
          ...sums,
          physicalBytes: system.allowed ? await physical() : null,
          largest: largest.map(({ isPublic, repositories, ...project }) => ({
            ...project,
            public: isPublic,
            repositoryCount: repositories,
          })),
          jobs: system.allowed
            ? {
                running: await count('running'),
                queued: await count('queued'),
                failed: await count('failed'),
              }
            : null,
        },
      }
    }),
  ]
}
