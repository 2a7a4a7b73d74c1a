import type { Credentials, Server } from './server.ts'

/** The `Authorization` header of HTTP Basic. */
export const basic = ({ username, password }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/** One call of the own REST API as the administrator or another; throws unless the status is the expected one. */
const call = async (
  server: Server,
  path: string,
  body: Readonly<Record<string, unknown>>,
  as: Credentials = server.admin,
): Promise<unknown> => {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: basic(as), 'content-type': 'application/json' },
    body: JSON.stringify(body),
    // The certificate is a self-made one where HTTPS is tested; who checks it says so.
    tls: { rejectUnauthorized: false },
  })
  const text = await answer.text()
  if (answer.status !== 201) {
    throw new Error(`POST /api/v1${path} answered ${answer.status}: ${text}`)
  }
  return JSON.parse(text)
}

/** Makes a person with a password of its own; on a server given from outside, only its name. */
export const createUser = async (server: Server, username: string): Promise<Credentials> => {
  const user = { username, password: `Pw-${crypto.randomUUID()}` }
  if (server.pid === 0) return server.admin.password ? server.admin : user
  await call(server, '/users', { name: user.username, password: user.password })
  return user
}

/** Makes a project; `public` lets anonymous clients pull. */
export const createProject = async (
  server: Server,
  name: string,
  options: { readonly public?: boolean; readonly quota?: number } = {},
  as: Credentials = server.admin,
): Promise<void> => {
  if (server.pid === 0) return
  await call(server, '/projects', { name, ...options }, as)
}

/** A token of a user, which stands in for the password. */
export const createApiToken = async (
  server: Server,
  user: Credentials,
  name: string,
): Promise<string> => {
  const created = (await call(server, '/tokens', { name }, user)) as { token?: unknown }
  if (typeof created.token !== 'string') throw new Error('no token in the answer')
  return created.token
}

/** An access key of a user, with which requests are signed. */
export const createAccessKey = async (
  server: Server,
  user: Credentials,
  name: string,
): Promise<{ readonly accessKey: string; readonly secretKey: string }> => {
  const created = (await call(server, '/me/access-keys', { name }, user)) as {
    accessKey?: unknown
    secretKey?: unknown
  }
  const { accessKey, secretKey } = created
  if (typeof accessKey !== 'string' || typeof secretKey !== 'string') {
    throw new Error('no access key in the answer')
  }
  return { accessKey, secretKey }
}
