import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { exportJWK, exportSPKI, importSPKI, SignJWT, UnsecuredJWT } from 'jose'
import { anonymous, type Principal } from './principal.ts'
import { ADDRESS, codeOf, createTestAccounts, SERVICE, type TestAccounts } from './test-accounts.ts'

let accounts: TestAccounts
let alice: Principal

beforeEach(async () => {
  accounts = await createTestAccounts()
  const account = await accounts.createUser('alice')
  alice = {
    kind: 'user',
    account,
    name: 'alice',
    isAdmin: false,
    login: { method: 'password', epoch: 0, expiresAt: null },
  }
})
afterEach(() => accounts.remove())

const scope = { type: 'repository', name: 'payments/api', actions: ['pull'], project: 3 } as const

const bearer = (token: string) => accounts.authenticator.authenticate(`Bearer ${token}`, ADDRESS)

describe('a token that was issued', () => {
  test('says who, what and for which project, and is an ES256 JWT with all claims', async () => {
    const { token, expiresIn, issuedAt } = await accounts.registryTokens.issue(
      alice,
      [scope],
      SERVICE,
    )
    expect(expiresIn).toBe(300)
    expect(issuedAt).toBe(accounts.clock())
    const [header, payload] = token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
    const iat = Math.floor(issuedAt / 1000)
    expect(header).toEqual({
      typ: 'JWT',
      alg: 'ES256',
      kid: (await accounts.signingKeys.active()).kid,
    })
    expect(payload).toMatchObject({
      iss: SERVICE,
      aud: SERVICE,
      sub: 'alice',
      iat,
      nbf: iat - 60,
      exp: iat + 300,
      access: [scope],
    })
    expect(payload.jti).toBeString()
    expect(await bearer(token)).toMatchObject({ name: 'alice', scope: [scope], isAdmin: false })
  })

  test('is good until it expires, also when it was seen before', async () => {
    const { token } = await accounts.registryTokens.issue(alice, [], SERVICE)
    await bearer(token)
    accounts.pass(299_000)
    await bearer(token)
    accounts.pass(1_000)
    expect(await codeOf(bearer(token))).toBe('unauthenticated')
    expect(
      await codeOf(
        accounts.anotherProcess().authenticator.authenticate(`Bearer ${token}`, ADDRESS),
      ),
    ).toBe('unauthenticated')
  })

  test('ends with the login that it was issued for', async () => {
    const login = { method: 'password', epoch: 0, expiresAt: accounts.clock() + 90_000 } as const
    const { token, expiresIn } = await accounts.registryTokens.issue(
      { ...alice, login },
      [],
      SERVICE,
    )
    expect(expiresIn).toBe(90)
    accounts.pass(91_000)
    expect(await codeOf(bearer(token))).toBe('unauthenticated')
  })

  test('of nobody has an empty subject', async () => {
    const { token } = await accounts.registryTokens.issue(anonymous, [scope], SERVICE)
    expect(await bearer(token)).toEqual({ ...anonymous, scope: [scope] })
  })

  test('is for one service only', async () => {
    const { token } = await accounts.registryTokens.issue(alice, [], 'elsewhere.example.com')
    expect(await codeOf(bearer(token))).toBe('unauthenticated')
    const there = accounts.authenticator.authenticate(
      `Bearer ${token}`,
      ADDRESS,
      'elsewhere.example.com',
    )
    expect(await codeOf(there)).toBe('none')
  })

  test('cannot be made for an account that was not proven', async () => {
    const { login: _, ...unproven } = alice
    expect(await codeOf(accounts.registryTokens.issue(unproven, [], SERVICE))).toBe('internal')
  })

  test('is void within a minute when its key is removed', async () => {
    const { token } = await accounts.registryTokens.issue(alice, [], SERVICE)
    await bearer(token)
    const { kid } = await accounts.signingKeys.active()
    const other = accounts.anotherProcess()
    await other.authenticator.authenticate(`Bearer ${token}`, ADDRESS)
    await accounts.signingKeys.rotate()
    await bearer(token)
    await accounts.signingKeys.remove(kid)
    expect(await codeOf(bearer(token))).toBe('unauthenticated')
    accounts.pass(60_000)
    expect(await codeOf(other.authenticator.authenticate(`Bearer ${token}`, ADDRESS))).toBe(
      'unauthenticated',
    )
  })
})

describe('a token that somebody else made', () => {
  const now = () => Math.floor(accounts.clock() / 1000)

  /** As ours, with some claims replaced; null leaves one out. */
  function claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
    const all = {
      iss: SERVICE,
      aud: SERVICE,
      sub: 'alice',
      iat: now(),
      nbf: now(),
      exp: now() + 300,
      jti: 'x',
      access: [scope],
      account: alice.account,
      epoch: 0,
      ...changes,
    }
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
  }

  async function signed(
    changes: Record<string, unknown> = {},
    header: { kid?: string; typ?: string } = {},
  ): Promise<string> {
    const { kid, key } = await accounts.signingKeys.active()
    return new SignJWT(claims(changes))
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid, ...header })
      .sign(key)
  }

  test('passes when it is like ours in all: so the following are refused for one reason', async () => {
    expect(await codeOf(bearer(await signed()))).toBe('none')
  })

  test('wrong audience, issuer, type, key id', async () => {
    const tokens = await Promise.all([
      signed({ aud: 'other' }),
      signed({ aud: null }),
      signed({ iss: 'other' }),
      signed({ iss: null }),
      signed({}, { typ: 'at+jwt' }),
      signed({}, { kid: 'another-key' }),
      signed({}, { kid: `${'A'.repeat(10_000)}` }),
      signed({}, { kid: "' or 1=1 --\u0000" }),
    ])
    for (const token of tokens) expect(await codeOf(bearer(token))).toBe('unauthenticated')
  })

  test('expired, of the future, without an end', async () => {
    const tokens = await Promise.all([
      signed({ exp: now() }),
      signed({ exp: now() - 1 }),
      signed({ nbf: now() + 5 }),
      signed({ exp: null }),
      signed({ nbf: null }),
      signed({ exp: 'tomorrow' }),
    ])
    for (const token of tokens) expect(await codeOf(bearer(token))).toBe('unauthenticated')
  })

  test('claims of another form', async () => {
    const tokens = await Promise.all([
      signed({ access: null }),
      signed({ access: [{ type: 'repository', name: 'a/b' }] }),
      signed({ access: [{ type: 'system', name: 'a', actions: ['*'] }] }),
      signed({ account: 'alice' }),
      signed({ epoch: null }),
      signed({ account: 999_999 }),
      signed({ epoch: 7 }),
    ])
    for (const token of tokens) expect(await codeOf(bearer(token))).toBe('unauthenticated')
  })

  test('alg none, and the public key used as the secret of an HMAC', async () => {
    const { kid } = await accounts.signingKeys.active()
    const verifier = await accounts.signingKeys.verifier(kid)
    if (!verifier) throw new Error('no key')
    const none = new UnsecuredJWT(claims()).encode()
    const noneWithKid = `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT', kid })).toString('base64url')}.${none.split('.')[1]}.`
    const row = await accounts.db.query
      .selectFrom('signing_key')
      .select('public_key')
      .executeTakeFirstOrThrow()
    const spki = await exportSPKI(verifier)
    const secrets = [row.public_key, JSON.stringify(await exportJWK(verifier)), spki, '']
    const hs = await Promise.all(
      secrets.map((secret) => hmacSigned({ alg: 'HS256', typ: 'JWT', kid }, claims(), secret)),
    )
    for (const token of [none, noneWithKid, ...hs]) {
      expect(await codeOf(bearer(token))).toBe('unauthenticated')
    }
    expect((await importSPKI(spki, 'ES256')).type).toBe('public')
  })

  test('a changed signature, another key under our id, and noise', async () => {
    const good = await signed()
    const [head, body, signature = ''] = good.split('.')
    const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`
    const foreign = await createTestAccounts()
    const foreignToken = await foreign.registryTokens.issue(
      { ...alice, account: 1 },
      [scope],
      SERVICE,
    )
    await foreign.remove()
    const noise = [
      '',
      '.',
      '..',
      'a.b.c',
      'e30.e30.e30',
      `${head}.${body}.`,
      `${good}.x`,
      '\u0000',
      'ä'.repeat(9),
      'x'.repeat(70_000),
    ]
    for (const token of [`${head}.${body}.${flipped}`, foreignToken.token, ...noise]) {
      expect(await codeOf(bearer(token))).toBe('unauthenticated')
    }
    expect(await codeOf(bearer(good))).toBe('none')
  })
})

async function hmacSigned(header: object, payload: object, secret: string): Promise<string> {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode(header)}.${encode(payload)}`
  const mac = new Bun.CryptoHasher('sha256', secret).update(input).digest('base64url')
  return `${input}.${mac}`
}
