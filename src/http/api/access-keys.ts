import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { AppError } from '../../lib/errors.ts'
import type { ApiDeps } from './api.ts'
import { listReply } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, type RawRequest, route } from './route.ts'
import { expiry, id, idInPath, pageOf, time } from './schemas.ts'
import { withinLogin } from './within-login.ts'

/*
 * Access keys, with which programs for Huawei Cloud sign their requests: everybody's own, and those of
 * robots, which are given by who manages them.
 */

const AccessKey = z
  .object({
    id,
    name: z.string(),
    accessKey: z.string().openapi({ description: 'AK', example: 'EPAK7Q2M4ZJ0XW9R1T5C' }),
    disabled: z.boolean(),
    createdAt: time,
    expiresAt: expiry,
    lastUsedAt: time.nullable().openapi({ description: 'To within ten minutes' }),
  })
  .openapi('AccessKey')

const CreatedAccessKey = AccessKey.extend({
  secretKey: z.string().openapi({ description: 'SK, shown this once' }),
}).openapi('CreatedAccessKey')

const body = { name: z.string(), expiresAt: expiry.optional() }
const sample = { name: 'scanner' }
const key = { key: idInPath }

const ofMe = { permission: 'signed-in', on: 'system' } as const
const ofProject = { permission: 'robot:manage', on: 'project' } as const
const ofSystem = { permission: 'account:manage', on: 'system' } as const

const MINE = '/me/access-keys'
const OF_ROBOT = '/projects/{project}/robots/{robot}/access-keys'
const OF_SYSTEM_ROBOT = '/robots/{robot}/access-keys'
const robot = { robot: idInPath }

const list = { method: 'GET', output: pageOf(AccessKey) } as const
const create = { method: 'POST', body, sample, output: CreatedAccessKey, creates: true } as const
const update = {
  method: 'PATCH',
  body: { disabled: z.boolean() },
  sample: { disabled: true },
  output: AccessKey,
} as const

export const accessKeyRoutes = {
  list: route({
    name: 'access-key.list',
    path: MINE,
    summary: 'List your access keys; all of them on one page',
    ...ofMe,
    ...list,
  }),
  create: route({
    name: 'access-key.create',
    path: MINE,
    summary: 'Create an access key, with which requests are signed',
    ...ofMe,
    ...create,
  }),
  update: route({
    name: 'access-key.update',
    path: `${MINE}/{key}`,
    summary: 'Disable or enable one of your access keys',
    ...ofMe,
    ...update,
    params: key,
  }),
  remove: route({
    name: 'access-key.delete',
    method: 'DELETE',
    path: `${MINE}/{key}`,
    summary: 'Delete one of your access keys',
    ...ofMe,
    params: key,
  }),
  listOfRobot: route({
    name: 'robot-access-key.list',
    path: OF_ROBOT,
    summary: 'List the access keys of a robot; all of them on one page',
    ...ofProject,
    ...list,
    params: robot,
  }),
  createOfRobot: route({
    name: 'robot-access-key.create',
    path: OF_ROBOT,
    summary: 'Give a robot an access key',
    ...ofProject,
    ...create,
    params: robot,
  }),
  removeOfRobot: route({
    name: 'robot-access-key.delete',
    method: 'DELETE',
    path: `${OF_ROBOT}/{key}`,
    summary: 'Delete an access key of a robot',
    ...ofProject,
    params: { ...robot, ...key },
  }),
  listOfSystemRobot: route({
    name: 'system-robot-access-key.list',
    path: OF_SYSTEM_ROBOT,
    summary: 'List the access keys of a robot of the system; all of them on one page',
    ...ofSystem,
    ...list,
    params: robot,
  }),
  createOfSystemRobot: route({
    name: 'system-robot-access-key.create',
    path: OF_SYSTEM_ROBOT,
    summary: 'Give a robot of the system an access key',
    ...ofSystem,
    ...create,
    params: robot,
  }),
  removeOfSystemRobot: route({
    name: 'system-robot-access-key.delete',
    method: 'DELETE',
    path: `${OF_SYSTEM_ROBOT}/{key}`,
    summary: 'Delete an access key of a robot of the system',
    ...ofSystem,
    params: { ...robot, ...key },
  }),
}

type Audit = RawRequest['audit']
type Input = { name: string; expiresAt?: number | null | undefined }

export function accessKeyEndpoints({ accounts }: ApiDeps): Endpoint[] {
  const { accessKeys, robots } = accounts

  async function robotName(owner: number | null, asked: number): Promise<string> {
    const found = await robots.get(owner, asked)
    if (!found) throw new AppError('not_found', `there is no robot with the id ${asked} here`)
    return found.name
  }

  async function createFor(
    account: { id: number; name: string; path: string },
    input: Input,
    audit: Audit,
  ) {
    const { name, expiresAt } = input
    const created = await accessKeys.create(account.id, input, (tx, { id: tokenId }) =>
      audit(tx, { resource: account.name, details: { name, tokenId, expiresAt } }),
    )
    return { body: created, location: `${account.path}/${created.id}` }
  }

  async function removeOf(account: { id: number; name: string }, tokenId: number, audit: Audit) {
    await accessKeys.revoke(account.id, tokenId, (tx, { name }) =>
      audit(tx, { resource: account.name, details: { name, tokenId } }),
    )
    return NOTHING
  }

  return [
    endpoint(accessKeyRoutes.list, async ({ principal }) =>
      listReply({ items: await accessKeys.list(accountOf(principal)) }),
    ),
    endpoint(accessKeyRoutes.create, async ({ principal, body: { name, expiresAt }, audit }) => {
      demandPerson(principal)
      const until = withinLogin(principal, expiresAt ?? null)
      const me = { id: accountOf(principal), name: principal.name, path: MINE }
      return createFor(me, { name, expiresAt: until }, audit)
    }),
    endpoint(accessKeyRoutes.update, async ({ principal, params, body: { disabled }, audit }) => {
      demandPerson(principal)
      const tokenId = params.key
      const changed = await accessKeys.setDisabled(
        accountOf(principal),
        tokenId,
        disabled,
        (tx, { name }) =>
          audit(tx, { resource: principal.name, details: { name, tokenId, disabled } }),
      )
      return { body: changed }
    }),
    endpoint(accessKeyRoutes.remove, ({ principal, params, audit }) =>
      removeOf({ id: accountOf(principal), name: principal.name }, params.key, audit),
    ),

    endpoint(accessKeyRoutes.listOfRobot, async ({ project, params }) => {
      await robotName(project.id, params.robot)
      return listReply({ items: await accessKeys.list(params.robot) })
    }),
    endpoint(accessKeyRoutes.createOfRobot, async ({ project, params, body: input, audit }) => {
      const name = await robotName(project.id, params.robot)
      const path = `/projects/${project.name}/robots/${params.robot}/access-keys`
      return createFor({ id: params.robot, name, path }, input, audit)
    }),
    endpoint(accessKeyRoutes.removeOfRobot, async ({ project, params, audit }) => {
      const name = await robotName(project.id, params.robot)
      return removeOf({ id: params.robot, name }, params.key, audit)
    }),

    endpoint(accessKeyRoutes.listOfSystemRobot, async ({ params }) => {
      await robotName(null, params.robot)
      return listReply({ items: await accessKeys.list(params.robot) })
    }),
    endpoint(accessKeyRoutes.createOfSystemRobot, async ({ params, body: input, audit }) => {
      const name = await robotName(null, params.robot)
      const path = `/robots/${params.robot}/access-keys`
      return createFor({ id: params.robot, name, path }, input, audit)
    }),
    endpoint(accessKeyRoutes.removeOfSystemRobot, async ({ params, audit }) => {
      const name = await robotName(null, params.robot)
      return removeOf({ id: params.robot, name }, params.key, audit)
    }),
  ]
}

function accountOf({ account }: Principal): number {
  if (account === null) throw new AppError('unauthenticated', 'sign in first')
  return account
}

/** A second secret of a robot would outlive the first one, unseen by who rotates that. */
function demandPerson({ kind }: Principal): void {
  if (kind === 'user') return
  throw new AppError('denied', 'robots are given access keys by those who manage them')
}
