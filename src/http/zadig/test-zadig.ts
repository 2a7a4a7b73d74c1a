import { expect } from 'bun:test'
import { basic, startTestServer, type TestServer } from '../test-server.ts'
import type { WireResponse } from '../test-wire.ts'

/** The running program, asked as programs ask Zadig; the administrator comes with an API token. */
export interface TestZadig extends TestServer {
  /** `Authorization` of the administrator. */
  token: string
  call(method: string, path: string, call?: ZadigCall): Promise<WireResponse>
  /** As `call`, failing unless it succeeds. */
  ok<T>(method: string, path: string, body?: unknown): Promise<T>
  /** Adds a registry and returns its id, which the call itself does not tell. */
  add(settings: object): Promise<string>
  /** Status and description of a failure in Zadig's form. */
  failure(method: string, path: string, call?: ZadigCall): Promise<string>
}

export interface ZadigCall {
  /** A user with the usual password, or a whole `Authorization`; null: nobody. */
  as?: string | null
  body?: unknown
  /** In place of `body`, as it is. */
  raw?: string
  headers?: Record<string, string>
}

/** What Zadig shows of a registry. */
export interface ZadigRegistry {
  registry_id: string
  address: string
  provider: string
  region: string
  namespace: string
  is_default: boolean
}

export const REGISTRIES = '/openapi/system/registry'

export async function startTestZadig(settings: Record<string, string> = {}): Promise<TestZadig> {
  const server = await startTestServer(settings)
  let wire = server.connect()
  const admin = await server.accounts.users.find('admin')
  const { token } = await server.accounts.apiTokens.create(admin?.id ?? 0, { name: 'pipeline' })
  const bearer = `Bearer ${token}`

  async function call(method: string, path: string, asked: ZadigCall = {}) {
    const { as = bearer, body, raw, headers = {} } = asked
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    if (wire.closed) wire = server.connect()
    return wire.request(method, path, {
      headers,
      ...(sent === undefined ? {} : { body: sent }),
      as: as === null ? undefined : as.includes(' ') ? as : basic(as),
    })
  }

  async function ok<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call(method, path, body === undefined ? {} : { body })
    expect(`${answer.status} ${answer.text()}`).toStartWith('200 ')
    expect(answer.header('content-type')).toBe('application/json; charset=utf-8')
    return answer.json<T & object>()
  }

  return {
    ...server,
    token: bearer,
    call,
    ok,
    async add(settings) {
      const before = await ok<ZadigRegistry[]>('GET', REGISTRIES)
      expect(await ok<object>('POST', REGISTRIES, settings)).toEqual({ message: 'success' })
      const after = await ok<ZadigRegistry[]>('GET', REGISTRIES)
      expect(after.length).toBe(before.length + 1)
      return after.at(-1)?.registry_id ?? ''
    },
    async failure(method, path, asked) {
      const answer = await call(method, path, asked)
      const { code, description, type, extra, message } = answer.json<Record<string, unknown>>()
      expect({ code, type, extra }).toEqual({ code: answer.status, type: 'error', extra: {} })
      return `${answer.status} ${message}: ${description}`
    },
  }
}
