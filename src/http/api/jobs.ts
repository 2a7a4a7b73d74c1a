import { z } from '@hono/zod-openapi'
import type { JobView } from '../../jobs/queue.ts'
import { AppError } from '../../lib/errors.ts'
import type { Tx } from '../../store/db/database.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { idAfter, listReply } from './pages.ts'
import { type Endpoint, endpoint, type RawRequest, type Reply, route } from './route.ts'
import { id, idInPath, page, pageOf, says, text, time } from './schemas.ts'

const state = z.enum(['queued', 'running', 'done', 'failed', 'cancelled'])

export const Job = z
  .object({
    id,
    name: z.string().openapi({ example: 'usage.fold' }),
    state,
    priority: z.enum(['high', 'normal', 'low']),
    payload: z.unknown(),
    progress: z.unknown(),
    error: z.string().nullable().openapi({ description: 'Of the last run that failed' }),
    errorSays: says,
    attempts: z.int(),
    maxAttempts: z.int(),
    cancelRequested: z.boolean(),
    runAt: time,
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .openapi('Job')

const params = { job: idInPath }
const forReaders = { permission: 'system:read', on: 'system' } as const
const forAdmins = { permission: 'system:manage', on: 'system' } as const

export const jobRoutes = {
  list: route({
    name: 'job.list',
    method: 'GET',
    path: '/jobs',
    summary: 'List the work in the background, newest first',
    ...forReaders,
    query: { ...page, name: text(100).optional(), state: state.optional() },
    output: pageOf(Job),
  }),
  get: route({
    name: 'job.get',
    method: 'GET',
    path: '/jobs/{job}',
    summary: 'Read a job',
    ...forReaders,
    params,
    output: Job,
  }),
  cancel: route({
    name: 'job.cancel',
    method: 'POST',
    path: '/jobs/{job}/cancel',
    summary: 'End a queued job; ask a running one to end',
    ...forAdmins,
    params,
    output: Job,
  }),
  retry: route({
    name: 'job.retry',
    method: 'POST',
    path: '/jobs/{job}/retry',
    summary: 'Queue a failed or cancelled job again',
    ...forAdmins,
    params,
    output: Job,
  }),
}

export function jobEndpoints({ db, queue }: ApiDeps): Endpoint[] {
  async function read(id: number): Promise<Reply<JobView>> {
    const job = await queue.find(id)
    if (!job) throw new AppError('not_found', `there is no job with the id ${id}`)
    return { body: job }
  }

  async function change(
    jobId: number,
    { audit }: Pick<RawRequest, 'audit'>,
    act: (tx: Tx, id: number) => Promise<boolean>,
    refusal: string,
  ) {
    const { body: before } = await read(jobId)
    await db.transaction(async (tx) => {
      if (!(await act(tx, jobId))) throw new AppError('conflict', `job ${jobId} is ${refusal}`)
      await audit(tx, { resource: before.name, details: { jobId } })
    })
    return read(jobId)
  }

  return [
    endpoint(jobRoutes.list, async ({ query: { limit = 100, after, name, state } }) => {
      const { items, next } = await queue.list({
        limit,
        ...idAfter(after),
        ...given({ name }),
        ...(state ? { states: [state] } : {}),
      })
      return listReply({ items, ...(next === undefined ? {} : { next: String(next) }) })
    }),
    endpoint(jobRoutes.get, ({ params }) => read(params.job)),
    endpoint(jobRoutes.cancel, ({ params, ...asked }) =>
      change(params.job, asked, queue.cancel, 'neither queued nor running'),
    ),
    endpoint(jobRoutes.retry, ({ params, ...asked }) =>
      change(params.job, asked, queue.retry, 'neither failed nor cancelled'),
    ),
  ]
}
