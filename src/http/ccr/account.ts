import { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import type { CcrParts } from './ccr.ts'
import { asParameters } from './input.ts'
import { DONE, type Endpoint, endpoint, route } from './route.ts'

export const accountRoutes = {
  reset: route({
    name: 'account.reset',
    method: 'POST',
    path: '/account/reset',
    summary: {
      en: 'Set or reset the password of an account; an unknown one is created',
      zh: '重置访问凭证密码',
    },
    permission: 'signed-in',
    on: 'system',
    body: {
      username: z.string({ error: 'be text' }).openapi({ example: 'test' }),
      new_password: z.string({ error: 'be text' }).openapi({
        description: 'At least 8 characters with upper case, lower case and a digit',
        example: 'Admin1234',
      }),
    },
    sample: { new_password: 'Admin134', username: 'test' },
  }),
}

/** The names of the domain and those of the call. */
const NAMES = { name: 'username', password: 'new_password' }

export function accountEndpoints({ accounts }: CcrParts): Endpoint[] {
  const { authorizer, users } = accounts

  return [
    endpoint(accountRoutes.reset, async ({ body, principal, audit }) => {
      const { username, new_password: password } = body
      const isOwn = principal.kind === 'user' && principal.name === username
      // A stolen API token must not be a way to the password.
      if (!isOwn || principal.login?.method !== 'password') {
        const decision = await authorizer.authorize(principal, 'account:manage', { kind: 'system' })
        if (!decision.allowed && isOwn) {
          throw new AppError('denied', 'to reset your own password, sign in with the present one')
        }
        if (!decision.allowed) throw new AppError(decision.code, decision.reason)
      }
      await asParameters(NAMES, async () => {
        const user = await users.find(username)
        if (!user) {
          await users.create({ name: username, password }, (tx, { name }) =>
            audit(tx, { action: 'user.create', resource: name }),
          )
          return
        }
        const options = { revokeApiTokens: true, refuseSame: true }
        await users.setPassword(user.id, password, options, (tx, { name }) =>
          audit(tx, { action: 'user.password', resource: name }),
        )
      })
      return DONE
    }),
  ]
}
