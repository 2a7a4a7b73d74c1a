import { afterEach, expect, test } from 'bun:test'
import { basic, createApiToken } from './admin-api.ts'
import { runVerb, type Server, startServer, waitFor } from './server.ts'

let server: Server
afterEach(() => server?.dispose(), 60_000)

test('a lost password is reset beside a running server', async () => {
  server = await startServer()
  const { username } = server.admin
  const me = async (authorization: string) =>
    (await fetch(`${server.url}/api/v1/me`, { headers: { authorization } })).status
  const token = `Bearer ${await createApiToken(server, server.admin, 'ci')}`
  const old = basic(server.admin)
  expect([await me(old), await me(token)]).toEqual([200, 200])

  const { exitCode, output } = await runVerb(server, 'user', {}, ['reset-password', username])
  expect(exitCode).toBe(0)
  const [password = ''] = /^\w{20}$/m.exec(output) ?? []
  // Each process forgets within five seconds what it knew.
  await waitFor('the new password to be good', async () => {
    return (await me(basic({ username, password }))) === 200
  })
  await waitFor('the old password and the token to be void', async () => {
    const statuses = await Promise.all([1, 2, 3, 4].flatMap(() => [me(old), me(token)]))
    return statuses.every((status) => status === 401 || status === 429)
  })
}, 120_000)
