import {
  CopyToken,
  CopyTokenRequest,
  CredentialHash,
  EnrolAnswer,
  HeldAnswer,
  HeldTasks,
  KnownAnswer,
  KnownRequest,
  LeaseAnswer,
  LeaseRequest,
  Page,
  ProgramVersion,
  PublicKey,
  Result,
} from '../../hub/runners/protocol.ts'
import { LEASE_MS } from '../../hub/runners/tasks.ts'
import type { ApiDeps } from './api.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { idInPath, text } from './schemas.ts'

/*
 * What runners ask for and say. They come from outside with a credential that is good for nothing
 * but these calls, and for their own tasks alone.
 */

/** After this the program of a runner is told to make another credential. */
const ROTATE_AFTER_MS = 12 * 3_600_000

const forRunners = { permission: 'runner', on: 'runner' } as const
const task = { task: idInPath }
const epoch = KnownRequest.epoch

export const runnerProtocolRoutes = {
  enrol: route({
    name: 'runner-enrolment.use',
    method: 'POST',
    path: '/runners/enrol',
    summary:
      'Become a runner: the token is used up, and may be sent again by the same program only',
    permission: 'open',
    on: 'system',
    body: {
      token: text(200),
      publicKey: PublicKey,
      credentialHash: CredentialHash,
      version: ProgramVersion,
    },
    output: EnrolAnswer,
  }),
  rotate: route({
    name: 'runner-credential.rotate',
    method: 'POST',
    path: '/runners/self/credential',
    summary: 'Make another credential good; this one stays so until the other is used',
    ...forRunners,
    body: { credentialHash: CredentialHash },
  }),
  lease: route({
    name: 'runner-task.lease',
    method: 'POST',
    path: '/runners/self/lease',
    summary: 'Take work, and wait for it where there is none',
    ...forRunners,
    body: LeaseRequest,
    output: LeaseAnswer,
  }),
  hold: route({
    name: 'runner-task.hold',
    method: 'POST',
    path: '/runners/self/heartbeat',
    summary: 'Keep the work that was taken',
    ...forRunners,
    body: HeldTasks,
    output: HeldAnswer,
  }),
  known: route({
    name: 'runner-task.known',
    method: 'POST',
    path: '/runners/self/tasks/{task}/known',
    summary: 'Ask which digests of these tags are known, so that they are not read again',
    ...forRunners,
    params: task,
    body: KnownRequest,
    output: KnownAnswer,
  }),
  page: route({
    name: 'runner-task.page',
    method: 'POST',
    path: '/runners/self/tasks/{task}/pages',
    summary: 'Tell a part of what was found',
    ...forRunners,
    params: task,
    body: { epoch, page: Page },
  }),
  token: route({
    name: 'runner-task.token',
    method: 'POST',
    path: '/runners/self/tasks/{task}/token',
    summary: 'Get a token for /v2, for some minutes and the one repository that a copy is about',
    ...forRunners,
    params: task,
    body: CopyTokenRequest,
    output: CopyToken,
  }),
  end: route({
    name: 'runner-task.end',
    method: 'POST',
    path: '/runners/self/tasks/{task}/result',
    summary: 'Tell how a task ended, once',
    ...forRunners,
    params: task,
    body: { epoch, result: Result },
  }),
}

export function runnerProtocolEndpoints({ runners, clock }: ApiDeps): Endpoint[] {
  const { tasks, access } = runners
  return [
    endpoint(runnerProtocolRoutes.enrol, async ({ body, auditAs, principal }) => {
      const runner = await runners.enrol(body, (tx, { id, name }) =>
        auditAs({ ...principal, name: `runner ${id}` })(tx, { resource: id, details: { name } }),
      )
      return { body: runner }
    }),

    endpoint(runnerProtocolRoutes.rotate, async ({ runner, body: { credentialHash } }) => {
      await access.rotate(runner, credentialHash)
      return NOTHING
    }),

    endpoint(runnerProtocolRoutes.lease, async ({ runner, body, context }) => {
      const { wait, ...asked } = body
      const found = await tasks.lease(runner, {
        ...asked,
        waitMs: wait * 1_000,
        signal: context.request.signal,
      })
      const rotate = clock() - runner.credentialSince > ROTATE_AFTER_MS
      return { body: { ...found, leaseMs: LEASE_MS, rotate } }
    }),

    endpoint(runnerProtocolRoutes.hold, async ({ runner, body: { held } }) => ({
      body: { lost: await tasks.hold(runner, held) },
    })),

    endpoint(runnerProtocolRoutes.known, async ({ runner, params, body }) => {
      const items = await tasks.known(runner, { id: params.task, epoch: body.epoch }, body.tags)
      return { body: { items } }
    }),

    endpoint(runnerProtocolRoutes.page, async ({ runner, params, body }) => {
      await tasks.page(runner, { id: params.task, epoch: body.epoch }, body.page)
      return NOTHING
    }),

    endpoint(runnerProtocolRoutes.token, async ({ runner, params, body: { epoch } }) => ({
      body: await tasks.copyToken(runner, { id: params.task, epoch }),
    })),

    endpoint(runnerProtocolRoutes.end, async ({ runner, params, body }) => {
      await tasks.end(runner, { id: params.task, epoch: body.epoch }, body.result)
      return NOTHING
    }),
  ]
}
