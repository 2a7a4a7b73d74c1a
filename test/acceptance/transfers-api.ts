import { basic } from './admin-api.ts'
import { type Server, waitFor } from './server.ts'

/** What the tests look at of a transfer. */
export type Transfer = {
  readonly id: number
  readonly state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly digest: string | null
  readonly bytes: { total: number; sent: number; skipped: number; mounted: number }
  readonly blobs: { total: number; done: number; shown: { digest: string; state: string }[] }
  readonly finishedAt: number | null
  readonly error: { code: string; message: string } | null
}

/** One call of `/api/v1` as the administrator; throws unless it succeeds. */
export const callApi = async <T>(
  server: Server,
  method: string,
  path: string,
  body?: object,
): Promise<T> => {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { authorization: basic(server.admin), 'content-type': 'application/json' },
    keepalive: false,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

/** Integrates a registry that speaks plain HTTP on the loopback address. */
export const addRegistry = (
  server: Server,
  name: string,
  address: string,
  more: object = {},
): Promise<{ id: string }> =>
  callApi(server, 'POST', '/registries', {
    name,
    provider: 'native',
    address,
    projects: null,
    ...more,
  })

export const getTransfer = (server: Server, id: number): Promise<Transfer> =>
  callApi(server, 'GET', `/transfers/${id}`)

/** Waits for its end; throws with what it said last when it takes longer. */
export const finished = async (
  server: Server,
  id: number,
  limitMs = 120_000,
): Promise<Transfer> => {
  let last: Transfer | undefined
  await waitFor(
    `transfer ${id} to end`,
    async () => {
      last = await getTransfer(server, id)
      return !['queued', 'running'].includes(last.state)
    },
    limitMs,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it is ${JSON.stringify(last)}`)
  })
  if (!last) throw new Error('no transfer')
  return last
}

/** Copies and waits; throws unless it is done. */
export const copy = async (server: Server, asked: object): Promise<Transfer> => {
  const { id } = await callApi<Transfer>(server, 'POST', '/transfers', asked)
  const transfer = await finished(server, id)
  if (transfer.state !== 'done') throw new Error(JSON.stringify(transfer.error))
  return transfer
}
