import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { physicalBytes, readOverview } from '../../registry/overview.ts'
import type { RegistryHealth } from '../../store/db/schema-hub.ts'
import type { ApiDeps } from './api.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { id } from './schemas.ts'

const MOST_PROJECTS = 8
const MOST_FAILING = 5

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
    registries: z
      .object({
        ok: z.int(),
        failing: z.int(),
        unknown: z.int().openapi({ description: 'Not tested yet, or being tested' }),
        failures: z
          .array(z.object({ id: z.string(), name: z.string() }))
          .openapi({ description: 'Some of the failing ones' }),
      })
      .nullable()
      .openapi({ description: 'External registries that you may see; null: sign in first' }),
    runners: z
      .object({ online: z.int(), away: z.int(), other: z.int() })
      .nullable()
      .openapi({ description: 'Of at most 1000; null: not for you' }),
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

export function overviewEndpoints(deps: ApiDeps): Endpoint[] {
  const { db, clock, accounts, queue, registries } = deps
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

  async function healthOf({ account, isAdmin }: Principal) {
    if (account === null) return null
    const visibleTo = isAdmin ? undefined : account
    const count = (...health: RegistryHealth[]) => registries.count({ health, visibleTo })
    const failing = await registries.list({ health: ['failing'], visibleTo, limit: MOST_FAILING })
    return {
      ok: await count('ok'),
      failing: await count('failing'),
      unknown: await count('unknown', 'checking'),
      failures: failing.map(({ id, name }) => ({ id, name })),
    }
  }

  async function runnerCounts() {
    const all = await deps.runners.runners.list({ limit: 1_000 })
    const online = all.filter(({ state }) => state === 'online').length
    const away = all.filter(({ state }) => state === 'away').length
    return { online, away, other: all.length - online - away }
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
          registries: await healthOf(principal),
          runners: system.allowed ? await runnerCounts() : null,
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
