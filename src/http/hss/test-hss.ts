import { signRequest } from '../../lib/huawei-signature.ts'
import { basic, startTestServer, type TestServer } from '../test-server.ts'
import type { WireResponse } from '../test-wire.ts'

/** The running program, asked as HSS. */
export interface TestHss extends TestServer {
  call(method: string, path: string, call?: HssCall): Promise<HssAnswer>
  /** Status and code, such as `400 HSS.0001`; `200` for a success. */
  outcome(method: string, path: string, call?: HssCall): Promise<string>
  /** The project is there, with the user `scanner` as its maintainer. */
  project: string
}

export interface SigningKey {
  accessKey: string
  secretKey: string
}

export interface HssCall {
  /** A user with the usual password, or a whole `Authorization`; null: none. `scanner` unless set. */
  as?: string | null
  token?: string
  sign?: SigningKey
  body?: unknown
  /** In place of `body`, as it is. */
  raw?: string
  headers?: Record<string, string>
}

export interface HssAnswer {
  status: number
  header: WireResponse['header']
  text: string
  body: HssBody
}

/** What tests look at; a field that is not there is undefined. */
export interface HssBody {
  [field: string]: unknown
  error_code: string
  error_msg: string
  error_description: string
  request_id: string
  total_num: number
  data_list: { [field: string]: unknown; id: string; registry_name: string }[]
}

/** Everything that AddRegistry takes, and right. */
export const HARBOR = {
  registry_name: 'team harbor',
  registry_type: 'Harbor',
  api_version: 'V2',
  protocol: 'https',
  registry_addr: 'harbor.example.com:8443',
  registry_username: 'robot$scanner',
  registry_password: 'planted-Secret-1',
  namespace: 'security',
  connect_cluster_id: 'local',
  get_scan_image_channel: 'Other',
}

export const BASE = '/v5/payments/image/registries'

export async function startTestHss(settings: Record<string, string> = {}): Promise<TestHss> {
  const server = await startTestServer(settings)
  const { accounts, db, registry } = server
  await db.transaction((tx) =>
    registry.projects.create(tx, { name: 'payments', isPublic: false, createdBy: null }),
  )
  const project = await registry.projects.get('payments')
  const { id } = await accounts.users.create({ name: 'scanner', password: 'Correct-horse-1' })
  await accounts.members.put(project?.id ?? 0, id, 'maintainer')
  let wire = server.connect()

  async function call(method: string, path: string, asked: HssCall = {}): Promise<HssAnswer> {
    const { token, sign, body, raw, headers = {} } = asked
    const as = asked.as === undefined && !token && !sign ? 'scanner' : asked.as
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const signed = sign
      ? signRequest({
          method,
          url: new URL(path, `http://${server.host}`),
          body: sent ?? '',
          ...sign,
          now: Date.now(),
        })
      : {}
    if (wire.closed) wire = server.connect()
    const answer = await wire.request(method, path, {
      headers: {
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { 'x-auth-token': token }),
        ...signed,
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
      as: as === null || as === undefined ? undefined : as.includes(' ') ? as : basic(as),
    })
    const text = answer.text()
    return {
      status: answer.status,
      header: answer.header,
      text,
      body: text === '' ? ({} as HssBody) : answer.json<HssBody>(),
    }
  }

  return {
    ...server,
    project: 'payments',
    call,
    async outcome(method, path, asked) {
      const { status, body } = await call(method, path, asked)
      return body.error_code ? `${status} ${body.error_code}` : String(status)
    },
  }
}
