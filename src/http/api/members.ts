import { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { ApiDeps } from './api.ts'
import { listReply } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { account, id, page, pageOf, role, time } from './schemas.ts'

const Member = z
  .object({
    account: id,
    kind: z.enum(['user', 'robot']),
    name: z.string(),
    displayName: z.string(),
    role,
    createdAt: time,
  })
  .openapi('Member')

export const memberRoutes = {
  list: route({
    name: 'member.list',
    method: 'GET',
    path: '/projects/{project}/members',
    summary: 'List the members of a project by name',
    permission: 'member:read',
    on: 'project',
    query: page,
    output: pageOf(Member),
  }),
  put: route({
    name: 'member.update',
    method: 'PUT',
    path: '/projects/{project}/members/{account}',
    summary: 'Add a member or change its role',
    permission: 'member:manage',
    on: 'project',
    params: { account },
    body: { role },
    sample: { role: 'developer' },
    output: Member,
  }),
  remove: route({
    name: 'member.delete',
    method: 'DELETE',
    path: '/projects/{project}/members/{account}',
    summary: 'Remove a member',
    permission: 'member:manage',
    on: 'project',
    params: { account },
  }),
}

export function memberEndpoints({ accounts }: ApiDeps): Endpoint[] {
  const { members } = accounts

  async function accountOf(project: number, asked: string): Promise<number> {
    const found = await members.candidate(project, asked)
    if (found === undefined) {
      throw new AppError(
        'not_found',
        `there is no account "${asked}"`,
        because('account_unknown', { name: asked }),
      )
    }
    return found
  }

  return [
    endpoint(memberRoutes.list, async ({ project, query }) =>
      listReply(await members.list(project.id, query)),
    ),

    endpoint(memberRoutes.put, async ({ project, params, body: { role }, audit }) => {
      const account = await accountOf(project.id, params.account)
      const member = await members.put(
        project.id,
        account,
        role,
        (tx, { name: member, previousRole }) =>
          audit(tx, { resource: project.name, details: { member, role, previousRole } }),
      )
      return { body: member }
    }),

    endpoint(memberRoutes.remove, async ({ project, params, audit }) => {
      const account = await accountOf(project.id, params.account)
      await members.remove(project.id, account, (tx, { name: member, previousRole }) =>
        audit(tx, { resource: project.name, details: { member, previousRole } }),
      )
      return NOTHING
    }),
  ]
}
