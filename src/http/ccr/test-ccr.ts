import { expect } from 'bun:test'
import { basic, startTestServer, type TestServer } from '../test-server.ts'
import type { WireResponse } from '../test-wire.ts'

/** The running program, asked through CCR. */
export interface TestCcr extends TestServer {
  call(method: string, path: string, call?: CcrCall): Promise<CcrAnswer>
  /** As `call`, by the administrator, failing unless it succeeds. */
  ok(method: string, path: string, body?: unknown): Promise<CcrBody>
  /** Status and code of a failure, such as `404 CCR.CodeErrNotExists`. */
  failure(method: string, path: string, call?: CcrCall): Promise<string>
}

export interface CcrCall {
  /** A user with the usual password, or a whole `Authorization`; null: anonymous. */
  as?: string | null
  body?: unknown
  /** In place of `body`, as it is. */
  raw?: string
  headers?: Record<string, string>
}

export interface CcrAnswer {
  status: number
  header: WireResponse['header']
  body: CcrBody
}

/** What tests look at; a field that is not there is undefined. */
export interface CcrBody {
  [field: string]: unknown
  code: string
  message: string
  requestId: string
  page: number
  pageSize: number
  total: number
  totalCount: number
  projectId: number
  projects: Record<string, unknown>[]
  artifacts: CcrArtifact[]
}

export interface CcrArtifact {
  [field: string]: unknown
  id: number
  digest: string
  size: number
  references: Record<string, unknown>[]
  tags: { [field: string]: unknown; name: string }[]
}

export const INSTANCE_PATH = '/api/ccr/v1.0/instances/ccr-manager'

export async function startTestCcr(settings: Record<string, string> = {}): Promise<TestCcr> {
  const server = await startTestServer(settings)
  let wire = server.connect()

  async function call(method: string, path: string, asked: CcrCall = {}): Promise<CcrAnswer> {
    const { as = server.admin, body, raw, headers = {} } = asked
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const whole = path.startsWith('/api/') ? path : INSTANCE_PATH + path
    if (wire.closed) wire = server.connect()
    const answer = await wire.request(method, whole, {
      headers: {
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
      as: as === null ? undefined : as.includes(' ') ? as : basic(as),
    })
    const { status, header } = answer
    return { status, header, body: method === 'HEAD' ? ({} as CcrBody) : answer.json<CcrBody>() }
  }

  return {
    ...server,
    call,
    async ok(method, path, body) {
      const answer = await call(method, path, body === undefined ? {} : { body })
      expect(answer).toMatchObject({ status: 200, body: { code: 'CCR.Success' } })
      return answer.body
    },
    async failure(method, path, asked) {
      const { status, body } = await call(method, path, asked)
      return `${status} ${body.code}`
    },
  }
}
