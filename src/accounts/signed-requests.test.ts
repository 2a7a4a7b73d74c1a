import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { parseSdkDate } from '../lib/huawei-signature.ts'
import type { AccessKeys } from './access-keys.ts'
import { createLoginGuard } from './login-guard.ts'
import {
  createSignedRequests,
  type IncomingRequest,
  type SignedRequests,
} from './signed-requests.ts'
import { ADDRESS, codeOf, createTestAccounts, type TestAccounts } from './test-accounts.ts'
import { RECORDED, RECORDED_KEY } from './test-recorded-requests.ts'

/* The requests that the vendor's SDKs made, at the time at which they made them. */

let accounts: TestAccounts
let signedRequests: SignedRequests
let now = 0
beforeEach(async () => {
  accounts = await createTestAccounts()
  const { db } = accounts
  const clock = () => now
  const accessKeys: AccessKeys = {
    ...accounts.accessKeys,
    async find(accessKey) {
      if (accessKey !== RECORDED_KEY.accessKey) return undefined
      const account = {
        id: 1,
        kind: 'user',
        name: 'sdk',
        isAdmin: false,
        epoch: 0,
        expiresAt: null,
      } as const
      const { secretKey } = RECORDED_KEY
      return { id: 1, account, secretKey, expiresAt: null, lastUsedAt: now }
    },
  }
  const guard = createLoginGuard({ db, clock })
  signedRequests = createSignedRequests({ db, clock, accessKeys, guard })
})
afterEach(() => accounts.remove())

type Sdk = (typeof RECORDED)[keyof typeof RECORDED]

function incoming(sdk: Sdk, { method, target, signature, body }: Sdk['requests'][number]) {
  const [path = '', query = ''] = target.split('?')
  const headers: Record<string, string> = {
    ...sdk.headers,
    authorization: `SDK-HMAC-SHA256 Access=${RECORDED_KEY.accessKey}, SignedHeaders=${sdk.signedHeaders}, Signature=${signature}`,
  }
  const request: IncomingRequest = {
    method,
    path,
    query: new URLSearchParams(query),
    header: (name) => headers[name] ?? null,
    hosts: [sdk.headers.host ?? ''],
    body: Buffer.from(body),
    address: ADDRESS,
  }
  return request
}

describe.each(Object.entries(RECORDED))('the %s SDK', (_, sdk) => {
  test.each(sdk.requests.map((request) => [request.method, request.target, request] as const))(
    '%s %s',
    async (method, _target, recorded) => {
      now = parseSdkDate(sdk.headers['x-sdk-date'] ?? '') ?? 0
      const request = incoming(sdk, recorded)
      expect(await signedRequests.verify(request)).toMatchObject({ name: 'sdk' })
      const again = codeOf(signedRequests.verify(request))
      expect(await again).toBe(method === 'GET' ? 'none' : 'unauthenticated')
      const changed = { ...request, body: Buffer.from(`${recorded.body} `) }
      expect(await codeOf(signedRequests.verify(changed))).toBe('unauthenticated')
    },
  )
})
