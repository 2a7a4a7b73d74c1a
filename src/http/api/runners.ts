import { z } from '@hono/zod-openapi'
import type { RunnerRecord } from '../../hub/runners/runners.ts'
import { runnerUnknown } from '../../hub/runners/runners.ts'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { ApiDeps } from './api.ts'
import { afterInvalid, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { page, pageOf, text, time } from './schemas.ts'

/* The programs that speak to registries which this server cannot reach, for administrators. */

const params = { runner: text(64).openapi({ example: 'edge-1' }) }
const forAdmins = { permission: 'runner:manage', on: 'system' } as const

export const RunnerView = z
  .object({
    id: z.string().openapi({
      description: 'What `runner` and `connect_cluster_id` of a registry name',
      example: 'edge-1',
    }),
    name: z.string().openapi({ example: 'Data center 2' }),
    project: z
      .string()
      .nullable()
      .openapi({ description: 'The one project whose registries it serves; null: all' }),
    state: z
      .enum(['invited', 'online', 'away', 'revoked'])
      .openapi({ description: '`invited`: its program has not enrolled yet' }),
    keyId: z
      .string()
      .nullable()
      .openapi({ description: 'Thumbprint of the key that opens its passwords (RFC 7638)' }),
    keyEpoch: z.int().openapi({ description: 'How many keys it has had' }),
    version: z.string().openapi({ description: 'Of its program', example: '0.1.0' }),
    lastSeenAt: time.nullable(),
    createdAt: time,
    enrolledAt: time.nullable(),
    revokedAt: time.nullable(),
    registryCount: z.int(),
    tasksWaiting: z.int(),
    tasksRunning: z.int(),
  })
  .openapi('Runner')

const invitation = {
  token: z
    .string()
    .openapi({ description: 'For the file of `entrepot runner --token-file`; shown this once' }),
  expiresAt: time,
}
const Invitation = z.object(invitation).openapi('RunnerInvitation')
const CreatedRunner = z.object({ runner: RunnerView, ...invitation }).openapi('CreatedRunner')

export const runnerRoutes = {
  list: route({
    name: 'runner.list',
    method: 'GET',
    path: '/runners',
    summary: 'List the runners, oldest first',
    ...forAdmins,
    query: page,
    output: pageOf(RunnerView),
  }),
  create: route({
    name: 'runner.create',
    method: 'POST',
    path: '/runners',
    summary: 'Make a runner, and the token with which its program enrols, once within a day',
    ...forAdmins,
    body: {
      id: z
        .string()
        .optional()
        .openapi({ description: '1 to 64 characters; made up unless given' }),
      name: text(128).optional().openapi({ description: 'For people; the id unless given' }),
      project: z
        .string()
        .nullable()
        .optional()
        .openapi({ description: 'Serve the registries of this project alone' }),
    },
    sample: { id: 'edge-1', name: 'Data center 2' },
    output: CreatedRunner,
    creates: true,
  }),
  get: route({
    name: 'runner.get',
    method: 'GET',
    path: '/runners/{runner}',
    summary: 'Read a runner',
    ...forAdmins,
    params,
    output: RunnerView,
  }),
  inviteAgain: route({
    name: 'runner.invite',
    method: 'POST',
    path: '/runners/{runner}/enrolment',
    summary: 'Make another enrolment token, for a program that lost its key or was revoked',
    ...forAdmins,
    params,
    output: Invitation,
    creates: true,
  }),
  revoke: route({
    name: 'runner.revoke',
    method: 'POST',
    path: '/runners/{runner}/revoke',
    summary: 'Hear nothing of a runner any more, as when its machine is lost',
    ...forAdmins,
    params,
    output: RunnerView,
  }),
  remove: route({
    name: 'runner.delete',
    method: 'DELETE',
    path: '/runners/{runner}',
    summary: 'Delete a runner that no registry names',
    ...forAdmins,
    params,
  }),
}

export function runnerEndpoints({ runners: { runners }, registry }: ApiDeps): Endpoint[] {
  async function read(id: string): Promise<RunnerRecord> {
    const runner = await runners.get(id)
    if (!runner) throw runnerUnknown(id)
    return runner
  }

  async function projectOf(name: string | null | undefined): Promise<number | null> {
    if (name === undefined || name === null) return null
    const project = await registry.projects.get(name)
    if (project) return project.id
    const shown = JSON.stringify(name.slice(0, 255))
    throw new AppError('invalid_input', `there is no project ${shown}`, {
      field: 'project',
      ...because('project_unknown', { name: name.slice(0, 255) }),
    })
  }

  return [
    endpoint(runnerRoutes.list, async ({ query: { limit, after } }) => {
      if (after !== undefined && !/^\d{1,15}$/.test(after)) throw afterInvalid()
      const from = after === undefined ? undefined : Number(after)
      const found = await readPage(
        limit,
        (count) => runners.list({ after: from, limit: count }),
        ({ seq }) => String(seq),
      )
      return listReply({ ...found, items: found.items.map(runnerViewOf) })
    }),

    endpoint(runnerRoutes.create, async ({ body, principal, audit }) => {
      const project = await projectOf(body.project)
      const { runner, token, expiresAt } = await runners.create(
        { id: body.id, name: body.name, project, createdBy: principal.account },
        (tx, { id, name }) =>
          audit(tx, { resource: id, details: { name }, ...(project ? { project } : {}) }),
      )
      return {
        body: { runner: runnerViewOf(runner), token, expiresAt },
        location: `/runners/${runner.id}`,
      }
    }),

    endpoint(runnerRoutes.get, async ({ params: { runner: id } }) => ({
      body: runnerViewOf(await read(id)),
    })),

    endpoint(runnerRoutes.inviteAgain, async ({ params: { runner: id }, audit }) => {
      const body = await runners.inviteAgain(id, (tx, { name }) =>
        audit(tx, { resource: id, details: { name } }),
      )
      return { body, location: `/runners/${id}` }
    }),

    endpoint(runnerRoutes.revoke, async ({ params: { runner: id }, audit }) => {
      await runners.revoke(id, (tx, { name }) => audit(tx, { resource: id, details: { name } }))
      return { body: runnerViewOf(await read(id)) }
    }),

    endpoint(runnerRoutes.remove, async ({ params: { runner: id }, audit }) => {
      await runners.remove(id, (tx, { name }) => audit(tx, { resource: id, details: { name } }))
      return NOTHING
    }),
  ]
}

export function runnerViewOf({ project, ...runner }: RunnerRecord): z.input<typeof RunnerView> {
  return { ...runner, project: project?.name ?? null }
}
