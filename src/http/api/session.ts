import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import type { ApiDeps } from './api.ts'
import { Me, meOf } from './me.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { time } from './schemas.ts'
import { demandSameOrigin, noCookie, openSession, sessionTokenOf } from './session-cookie.ts'

const Session = z
  .object({
    account: Me.nullable().openapi({ description: 'null: nobody is signed in' }),
    csrfToken: z.string().nullable().openapi({
      description: 'For `X-CSRF-Token`, with every change; null: the caller has no session',
    }),
    expiresAt: time.nullable(),
    mayCreateProjects: z.boolean(),
    hasGeneratedPassword: z
      .boolean()
      .openapi({ description: 'The password is the one that was printed at the first start' }),
  })
  .openapi('Session')

export const SESSION_PATH = '/session'
const open = { path: SESSION_PATH, permission: 'open', on: 'system' } as const

export const sessionRoutes = {
  create: route({
    name: 'session.create',
    method: 'POST',
    summary: 'Sign in with name and password; answers a cookie',
    ...open,
    body: { name: z.string(), password: z.string() },
    sample: { name: 'root', password: 'Correct-horse-1' },
    output: Session,
    creates: true,
  }),
  get: route({
    name: 'session.get',
    method: 'GET',
    summary: 'Who is signed in, if anybody',
    ...open,
    output: Session,
  }),
  remove: route({
    name: 'session.delete',
    method: 'DELETE',
    summary: 'Sign out; succeeds also when nobody is signed in',
    ...open,
  }),
}

export function sessionEndpoints({ db, accounts }: ApiDeps): Endpoint[] {
  const { authenticator, authorizer, sessions, users } = accounts

  async function viewOf(principal: Principal, own?: { token: string; expiresAt: number }) {
    const { account } = principal
    const isPerson = account !== null && principal.kind === 'user'
    const mayCreate = await authorizer.authorize(principal, 'project:create', { kind: 'system' })
    return {
      account: account === null ? null : await meOf(users, principal, account),
      csrfToken: own ? sessions.csrfOf(own.token) : null,
      expiresAt: own?.expiresAt ?? null,
      mayCreateProjects: mayCreate.allowed,
      hasGeneratedPassword: isPerson && (await sessions.hasGeneratedPassword(account)),
    }
  }

  return [
    endpoint(sessionRoutes.create, async ({ body, context, auditAs }) => {
      demandSameOrigin(context)
      const { name, password } = body
      const principal = await authenticator.checkPassword(name, password, context.address)
      context.principal = principal
      const before = sessionTokenOf(context)
      const opened = await openSession(sessions, principal, context, (tx) =>
        auditAs(principal)(tx, { resource: principal.name }),
      )
      // Who signs in twice leaves no first session behind.
      if (before !== undefined) await sessions.close(before)
      return {
        body: await viewOf(principal, opened),
        location: '/session',
        cookie: opened.cookie,
      }
    }),

    endpoint(sessionRoutes.get, async ({ principal, context }) => {
      const token = sessionTokenOf(context)
      const isOwn = principal.login?.method === 'session' && token !== undefined
      const found = isOwn ? await sessions.use(token) : undefined
      const own = found && token !== undefined ? { token, expiresAt: found.expiresAt } : undefined
      return { body: await viewOf(principal, own) }
    }),

    endpoint(sessionRoutes.remove, async ({ principal, context, audit }) => {
      const token = sessionTokenOf(context)
      if (token === undefined) return NOTHING
      if (principal.login?.method === 'session') {
        await db.transaction((tx) => audit(tx, { resource: principal.name }))
        await sessions.close(token)
      }
      return { ...NOTHING, cookie: noCookie(context) }
    }),
  ]
}
