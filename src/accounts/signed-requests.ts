import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import {
  canonicalRequest,
  parseSdkDate,
  parseSignatureHeader,
  type SignatureHeader,
  sdkDateOf,
  sha256,
  signatureOf,
  UNSIGNED_PAYLOAD,
} from '../lib/huawei-signature.ts'
import { equalSecrets } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import type { AccessKeys, FoundAccessKey } from './access-keys.ts'
import type { LoginGuard } from './login-guard.ts'
import type { Principal } from './principal.ts'

/** How far the client's clock may be off, as Huawei's gateway has it. */
const CLOCK_SKEW_MS = 15 * 60_000
/** Replicas whose clocks differ must not take a signature that another one has forgotten. */
const REMEMBER_LONGER_MS = 5 * 60_000

/** A request that says to be signed, with its whole body. */
export interface IncomingRequest {
  method: string
  /** As on the wire, without the query. */
  path: string
  query: URLSearchParams
  header(name: string): string | null
  /** What the client may have called us: one of them must be the host that was signed. */
  hosts: readonly string[]
  body: Uint8Array
  /** Of the client. */
  address: string
}

export interface SignedRequests {
  /**
   * Who signed this request. A change is let through once, in all processes together; requests that
   * only read may come again, since equal ones of one second are signed alike.
   * @throws AppError unauthenticated, rate_limited
   */
  verify(request: IncomingRequest): Promise<Principal>
  /** Deletes signatures whose dates are too old by now; returns how many. */
  sweep(): Promise<number>
}

/** Requests signed with an access key: SDK-HMAC-SHA256 of Huawei Cloud. */
export function createSignedRequests(deps: {
  db: Db
  clock: Clock
  accessKeys: AccessKeys
  guard: LoginGuard
}): SignedRequests {
  const { db, clock, accessKeys, guard } = deps

  async function keyOf(request: IncomingRequest): Promise<FoundAccessKey> {
    const header = parseSignatureHeader(request.header('authorization') ?? '')
    if (!header) {
      throw refused(
        'the Authorization header must be "SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…"; other algorithms are not understood here',
      )
    }
    const date = request.header('x-sdk-date') ?? ''
    const signedAt = parseSdkDate(date)
    if (signedAt === undefined) {
      throw refused('the header X-Sdk-Date must be a time such as 20260102T030405Z')
    }
    if (Math.abs(clock() - signedAt) > CLOCK_SKEW_MS) {
      throw refused(
        `the request was signed at ${date} and it is ${sdkDateOf(clock())} now, which is more than 15 minutes apart; check the clocks`,
      )
    }
    if (!isEncoded(request.path)) throw refused('the path is not percent-encoded UTF-8')
    const payloadHashes = payloadHashesOf(request, header)
    const key = await accessKeys.find(header.accessKey)
    if (!key || !isSignedBy(key.secretKey, request, header, date, payloadHashes)) {
      await guard.check(`key:${header.accessKey}`, request.address)
      await guard.failed(`key:${header.accessKey}`, request.address, false)
      throw refused(
        'the access key is unknown, disabled or expired, or the signature is not of this request',
      )
    }
    if (!isRead(request.method)) {
      await demandFirst(header.signature, signedAt + CLOCK_SKEW_MS + REMEMBER_LONGER_MS)
    }
    return key
  }

  async function demandFirst(signature: string, expiresAt: number): Promise<void> {
    const first = await db.transaction((tx) =>
      tx
        .insertInto('seen_signature')
        .values({ signature, expires_at: expiresAt })
        .onConflict((conflict) => conflict.column('signature').doNothing())
        .returning('signature')
        .executeTakeFirst(),
    )
    if (first) return
    throw refused(
      'this very request came before; to send an equal one, sign it anew a second later',
    )
  }

  return {
    async verify(request) {
      const key = await keyOf(request)
      await accessKeys.used(key)
      const { id, kind, name, isAdmin, epoch, expiresAt } = key.account
      const credential = { kind: 'access-key', id: key.id } as const
      return {
        kind,
        account: id,
        name,
        isAdmin,
        login: { method: 'access-key', epoch, credential, expiresAt: key.expiresAt ?? expiresAt },
      }
    },

    async sweep() {
      const deleted = await db.query
        .deleteFrom('seen_signature')
        .where('expires_at', '<=', clock())
        .returning('signature')
        .execute()
      return deleted.length
    },
  }
}

function isEncoded(path: string): boolean {
  try {
    return decodeURIComponent(path) !== ''
  } catch {
    return false
  }
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * What may stand for the body in the signature. `X-Sdk-Content-Sha256` names it: its hash, which
 * must be true, or `UNSIGNED-PAYLOAD`, which the signature must cover. The Python SDK signs the hash
 * of nothing where there is no body, whatever that header says.
 */
function payloadHashesOf(request: IncomingRequest, { signedHeaders }: SignatureHeader): string[] {
  const actual = sha256(request.body)
  const named = request.header('x-sdk-content-sha256')
  if (named === null || named.toLowerCase() === actual) return [named ?? actual]
  if (named === UNSIGNED_PAYLOAD && signedHeaders.includes('x-sdk-content-sha256')) {
    return request.body.length === 0 ? [named, actual] : [named]
  }
  throw refused('the body is not the one that X-Sdk-Content-Sha256 names')
}

function isSignedBy(
  secretKey: string,
  { method, path, query, header, hosts }: IncomingRequest,
  { signedHeaders, signature }: SignatureHeader,
  date: string,
  payloadHashes: readonly string[],
): boolean {
  const headers = Object.fromEntries(signedHeaders.map((name) => [name, header(name) ?? '']))
  const candidates = signedHeaders.includes('host') ? hosts : ['']
  return candidates.some((host) =>
    payloadHashes.some((payloadHash) => {
      const canonical = canonicalRequest({
        method,
        path,
        query,
        headers: { ...headers, host },
        signedHeaders,
        payloadHash,
      })
      return equalSecrets(signatureOf(secretKey, canonical, date), signature)
    }),
  )
}

function refused(why: string): AppError {
  return new AppError('unauthenticated', why)
}
