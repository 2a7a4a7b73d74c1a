import { z } from '@hono/zod-openapi'
import type { User } from '../../accounts/user-rows.ts'
import { AppError } from '../../lib/errors.ts'
import type { ApiDeps } from './api.ts'
import { listReply } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { account, expiry, id, page, pageOf, text, time, version } from './schemas.ts'

const UserView = z
  .object({
    id,
    name: z.string().openapi({ example: 'alice' }),
    displayName: z.string(),
    email: z.string().nullable(),
    admin: z.boolean().openapi({ description: 'System administrator' }),
    disabled: z.boolean(),
    expiresAt: expiry,
    createdAt: time,
    updatedAt: time,
    version,
  })
  .openapi('User')

const fields = {
  displayName: z.string().optional(),
  email: z.string().nullable().optional(),
  admin: z.boolean().optional(),
}
const params = { user: account }
const forAdmins = { permission: 'account:manage', on: 'system' } as const

export const userRoutes = {
  list: route({
    name: 'user.list',
    method: 'GET',
    path: '/users',
    summary: 'List users by name',
    ...forAdmins,
    query: { ...page, nameHas: text(64).optional() },
    output: pageOf(UserView),
  }),
  create: route({
    name: 'user.create',
    method: 'POST',
    path: '/users',
    summary: 'Create a user',
    ...forAdmins,
    body: { name: z.string(), password: z.string(), ...fields },
    sample: { name: 'bob', password: 'Correct-horse-9', displayName: 'Bob' },
    output: UserView,
    creates: true,
    versioned: true,
  }),
  get: route({
    name: 'user.get',
    method: 'GET',
    path: '/users/{user}',
    summary: 'Read a user',
    ...forAdmins,
    params,
    output: UserView,
    versioned: true,
  }),
  update: route({
    name: 'user.update',
    method: 'PATCH',
    path: '/users/{user}',
    summary: 'Change, disable or enable a user',
    ...forAdmins,
    params,
    body: { ...fields, disabled: z.boolean().optional(), expiresAt: expiry.optional() },
    sample: { displayName: 'Bob the builder' },
    output: UserView,
    versioned: true,
  }),
  password: route({
    name: 'user.password',
    method: 'PUT',
    path: '/users/{user}/password',
    summary: 'Give a user a new password',
    ...forAdmins,
    params,
    body: { password: z.string(), revokeApiTokens: z.boolean().optional() },
    sample: { password: 'Correct-horse-10' },
  }),
  remove: route({
    name: 'user.delete',
    method: 'DELETE',
    path: '/users/{user}',
    summary: 'Delete a user with its tokens and memberships',
    ...forAdmins,
    params,
    versioned: true,
  }),
}

export function userEndpoints({ accounts }: ApiDeps): Endpoint[] {
  const { users } = accounts

  async function find(asked: string): Promise<User> {
    const id = /^[1-9]\d{0,14}$/.test(asked) ? Number(asked) : undefined
    const user = (await users.find(asked)) ?? (id === undefined ? undefined : await users.get(id))
    if (!user) throw new AppError('not_found', `there is no user "${asked}"`)
    return user
  }

  return [
    endpoint(userRoutes.list, async ({ query }) => {
      const found = await users.list(query)
      return listReply({ ...found, items: found.items.map(viewOf) })
    }),

    endpoint(userRoutes.create, async ({ body: { admin: isAdmin, ...user }, audit }) => {
      const { displayName, email } = user
      const created = await users.create({ ...user, isAdmin }, (tx, { name }) =>
        audit(tx, { resource: name, details: { displayName, email, isAdmin } }),
      )
      return replyOf(created)
    }),

    endpoint(userRoutes.get, async ({ params }) => replyOf(await find(params.user))),

    endpoint(userRoutes.update, async ({ params, body, version, audit }) => {
      const { admin: isAdmin, ...others } = body
      const change = { ...others, isAdmin }
      const { id } = await find(params.user)
      const updated = await users.update(id, change, version, (tx, { name }) =>
        audit(tx, { resource: name, details: change }),
      )
      return replyOf(updated)
    }),

    endpoint(userRoutes.password, async ({ params, body, audit }) => {
      const { id } = await find(params.user)
      const { password, revokeApiTokens } = body
      await users.setPassword(id, password, { revokeApiTokens }, (tx, { name }) =>
        audit(tx, { resource: name }),
      )
      return NOTHING
    }),

    endpoint(userRoutes.remove, async ({ params, version, audit }) => {
      const { id } = await find(params.user)
      await users.remove(id, version, (tx, { name }) => audit(tx, { resource: name }))
      return NOTHING
    }),
  ]
}

function replyOf(user: User) {
  return { body: viewOf(user), version: user.version, location: `/users/${user.name}` }
}

function viewOf({ isAdmin, ...user }: User) {
  return { ...user, admin: isAdmin }
}
