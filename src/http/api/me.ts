import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import type { Users } from '../../accounts/users.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { ApiDeps } from './api.ts'
import { listReply } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { expiry, id, idInPath, pageOf, time } from './schemas.ts'
import { openSession } from './session-cookie.ts'
import { withinLogin } from './within-login.ts'

/* What everybody may do with the own account. */

export const Me = z
  .object({
    id,
    kind: z.enum(['user', 'robot']),
    name: z.string(),
    displayName: z.string(),
    email: z.string().nullable(),
    admin: z.boolean().openapi({ description: 'System administrator' }),
  })
  .openapi('Me')

const ApiToken = z
  .object({
    id,
    name: z.string(),
    createdAt: time,
    expiresAt: expiry,
    lastUsedAt: time.nullable().openapi({ description: 'To within ten minutes' }),
  })
  .openapi('ApiToken')

const CreatedToken = ApiToken.extend({
  token: z.string().openapi({ description: 'Shown this once', example: 'ept_…' }),
}).openapi('CreatedApiToken')

const forAll = { permission: 'signed-in', on: 'system' } as const

export const meRoutes = {
  get: route({
    name: 'me.get',
    method: 'GET',
    path: '/me',
    summary: 'Who you are',
    ...forAll,
    output: Me,
  }),
  password: route({
    name: 'me.password',
    method: 'PATCH',
    path: '/me/password',
    summary: 'Change your password',
    ...forAll,
    body: { currentPassword: z.string(), newPassword: z.string() },
    sample: { currentPassword: 'Correct-horse-1', newPassword: 'Correct-horse-2' },
  }),
  listTokens: route({
    name: 'token.list',
    method: 'GET',
    path: '/tokens',
    summary: 'List your API tokens; all of them on one page',
    ...forAll,
    output: pageOf(ApiToken),
  }),
  createToken: route({
    name: 'token.create',
    method: 'POST',
    path: '/tokens',
    summary: 'Create an API token, which stands in for your password',
    ...forAll,
    body: { name: z.string(), expiresAt: expiry.optional() },
    sample: { name: 'laptop' },
    output: CreatedToken,
    creates: true,
  }),
  removeToken: route({
    name: 'token.delete',
    method: 'DELETE',
    path: '/tokens/{token}',
    summary: 'Revoke one of your API tokens',
    ...forAll,
    params: { token: idInPath },
  }),
}

export function meEndpoints({ accounts }: ApiDeps): Endpoint[] {
  const { apiTokens, authenticator, sessions, users } = accounts

  return [
    endpoint(meRoutes.get, async ({ principal }) => ({
      body: await meOf(users, principal, accountOf(principal)),
    })),

    endpoint(meRoutes.password, async ({ principal, body, context, audit }) => {
      if (principal.kind !== 'user') {
        throw new AppError('denied', 'robots have no password; rotate the secret instead')
      }
      const { currentPassword, newPassword } = body
      try {
        await authenticator.checkPassword(principal.name, currentPassword, context.address)
      } catch (error) {
        // Not 401, which says that the credentials of this very request are wrong.
        if (!isAppError(error, 'unauthenticated')) throw error
        throw new AppError('denied', 'this is not your present password', {
          field: 'currentPassword',
          ...because('password_wrong', {}),
        })
      }
      await users.setPassword(accountOf(principal), newPassword, {}, (tx, { name }) =>
        audit(tx, { resource: name }),
      )
      if (principal.login?.method !== 'session') return NOTHING
      const again = await authenticator.checkPassword(principal.name, newPassword, context.address)
      return { ...NOTHING, cookie: (await openSession(sessions, again, context)).cookie }
    }),

    endpoint(meRoutes.listTokens, async ({ principal }) =>
      listReply({ items: await apiTokens.list(accountOf(principal)) }),
    ),

    endpoint(meRoutes.createToken, async ({ principal, body: { name, expiresAt }, audit }) => {
      const until = withinLogin(principal, expiresAt ?? null)
      const created = await apiTokens.create(
        accountOf(principal),
        { name, expiresAt: until },
        (tx, { id }) =>
          audit(tx, { resource: principal.name, details: { name, tokenId: id, expiresAt: until } }),
      )
      return { body: created, location: `/tokens/${created.id}` }
    }),

    endpoint(meRoutes.removeToken, async ({ principal, params: { token: tokenId }, audit }) => {
      await apiTokens.revoke(accountOf(principal), tokenId, (tx, { name }) =>
        audit(tx, { resource: principal.name, details: { name, tokenId } }),
      )
      return NOTHING
    }),
  ]
}

/** Somebody about himself. */
export async function meOf(users: Users, principal: Principal, account: number) {
  const user = principal.kind === 'user' ? await users.get(account) : undefined
  return {
    id: account,
    kind: principal.kind === 'robot' ? ('robot' as const) : ('user' as const),
    name: principal.name,
    displayName: user?.displayName ?? '',
    email: user?.email ?? null,
    admin: principal.isAdmin,
  }
}

function accountOf({ account }: Principal): number {
  if (account === null) throw new AppError('unauthenticated', 'sign in first')
  return account
}
