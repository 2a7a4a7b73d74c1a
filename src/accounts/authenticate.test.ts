import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import { anonymous } from './principal.ts'
import {
  ADDRESS,
  basic,
  codeOf,
  createTestAccounts,
  PASSWORD,
  SERVICE,
  type TestAccounts,
} from './test-accounts.ts'

let accounts: TestAccounts
let alice: number

beforeEach(async () => {
  accounts = await createTestAccounts({
    guard: { windowMs: 60_000, perAccount: 5, perAddress: 20 },
  })
  alice = await accounts.createUser('alice')
})
afterEach(() => accounts.remove())

const authenticate = (header?: string | null, address = ADDRESS) =>
  accounts.authenticator.authenticate(header, address)

describe('the header', () => {
  test('without one, or with nobody in it, the caller is anonymous', async () => {
    for (const header of [undefined, null, '', 'Basic Og==', 'basic  Og==']) {
      expect(await authenticate(header)).toEqual(anonymous)
    }
  })

  test('Basic with a password, an API token, and a secret of a robot', async () => {
    const project = await accounts.createProject('payments')
    const { token } = await accounts.apiTokens.create(alice, { name: 'ci' })
    const { secret } = await accounts.robots.create(project, {
      name: 'ci',
      roles: [{ project, role: 'developer' }],
    })
    expect(await authenticate(basic('alice', PASSWORD))).toMatchObject({
      kind: 'user',
      account: alice,
      name: 'alice',
      isAdmin: false,
      login: { method: 'password' },
    })
    expect(await authenticate(basic('alice', token))).toMatchObject({
      account: alice,
      login: { method: 'api-token' },
    })
    expect(await authenticate(`Bearer ${token}`)).toMatchObject({ account: alice })
    expect(await authenticate(`bEARER ${token}`)).toMatchObject({ account: alice })
    expect(await authenticate(basic('payments+ci', secret))).toMatchObject({
      kind: 'robot',
      name: 'payments+ci',
      login: { method: 'secret' },
    })
  })

  test('what proves nobody is refused', async () => {
    const { token } = await accounts.apiTokens.create(alice, { name: 'ci' })
    await accounts.createUser('bob')
    const headers = [
      basic('alice', 'wrong'),
      basic('alice', ''),
      basic('', PASSWORD),
      basic('Alice', PASSWORD),
      basic('alice ', PASSWORD),
      basic('alice\u0000', PASSWORD),
      basic('аlice', PASSWORD),
      basic('nobody', PASSWORD),
      basic('bob', token),
      basic('alice', `${token}x`),
      basic('payments+none', 'epr_x'),
      'Basic',
      'Basic !!!!',
      `Basic ${Buffer.from('no-colon').toString('base64')}`,
      'Bearer',
      'Bearer ept_wrong',
      'Bearer not-a-jwt',
      'Digest username="alice"',
      'alice:secret',
      '\u0000',
    ]
    for (const [i, header] of headers.entries()) {
      expect([header, await codeOf(authenticate(header, `192.0.2.${i}`))]).toEqual([
        header,
        'unauthenticated',
      ])
    }
  })

  test('unknown, wrong and disabled are told the same', async () => {
    const bob = await accounts.createUser('bob')
    await accounts.users.update(bob, { disabled: true })
    const said = await Promise.all(
      [basic('nobody', PASSWORD), basic('alice', 'Wrong-pass-1'), basic('bob', PASSWORD)].map(
        (header) => authenticate(header).catch((error: AppError) => [error.message, error.details]),
      ),
    )
    expect(said[1]).toEqual(said[0])
    expect(said[2]).toEqual(said[0])
  })

  test('a registry token is for the registry only', async () => {
    const principal = await authenticate(basic('alice', PASSWORD))
    const { token } = await accounts.registryTokens.issue(principal, [], SERVICE)
    expect(await codeOf(authenticate(`Bearer ${token}`))).toBe('none')
    const api = (header: string) => accounts.authenticator.authenticateApi(header, ADDRESS)
    expect(await codeOf(api(`Bearer ${token}`))).toBe('unauthenticated')
    expect(await codeOf(api(basic('alice', PASSWORD)))).toBe('none')
  })
})

describe('a good login is remembered', () => {
  /** Runs `work` and counts the argon2 verifications that it takes. */
  async function verifications(work: () => Promise<unknown>): Promise<number> {
    const original = Bun.password.verify
    let count = 0
    Bun.password.verify = (...args: Parameters<typeof original>) => {
      count++
      return original(...args)
    }
    try {
      await work()
    } finally {
      Bun.password.verify = original
    }
    return count
  }

  test('for five seconds, and a hundred at once are proven once', async () => {
    const good = basic('alice', PASSWORD)
    const many = () => Promise.all(Array.from({ length: 100 }, () => authenticate(good)))
    expect(await verifications(many)).toBe(1)
    expect(await verifications(() => authenticate(good))).toBe(0)
    accounts.pass(5_000)
    expect(await verifications(() => authenticate(good))).toBe(1)
  })

  test('not for another address, and not for a wrong password', async () => {
    const good = basic('alice', PASSWORD)
    await authenticate(good)
    expect(await verifications(() => authenticate(good, '192.0.2.99'))).toBe(1)
    const wrong = () => codeOf(authenticate(basic('alice', 'Wrong-pass-1')))
    expect(await verifications(wrong)).toBe(1)
    expect(await verifications(wrong)).toBe(1)
  })
})

describe('brute force', () => {
  const guess = (i: number, address = ADDRESS) =>
    codeOf(authenticate(basic('alice', `Guess-number-${i}`), address))

  test('is answered with rate_limited, also for the right password, but not elsewhere', async () => {
    for (let i = 0; i < 5; i++) expect(await guess(i)).toBe('unauthenticated')
    expect(await guess(5)).toBe('rate_limited')
    const refused = await authenticate(basic('alice', PASSWORD)).catch((error) => error)
    expect(refused).toBeInstanceOf(AppError)
    expect(refused.code).toBe('rate_limited')
    expect(refused.details.retryAfter).toBeGreaterThan(0)
    expect(await codeOf(authenticate(basic('alice', PASSWORD), '198.51.100.4'))).toBe('none')
    const other = accounts.anotherProcess().authenticator
    expect(await codeOf(other.authenticate(basic('alice', PASSWORD), ADDRESS))).toBe('rate_limited')
    accounts.pass(60_000)
    expect(await codeOf(authenticate(basic('alice', PASSWORD)))).toBe('none')
  })

  test('all at once gains no more than the guesses that were running', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => guess(i)))
    const tried = answers.filter((answer) => answer === 'unauthenticated').length
    expect(tried).toBeGreaterThanOrEqual(5)
    expect(tried).toBeLessThanOrEqual(6)
  })

  test('does not hold back API tokens and robots, nor they the people', async () => {
    const { token } = await accounts.apiTokens.create(alice, { name: 'ci' })
    for (let i = 0; i < 6; i++) await guess(i)
    expect(await codeOf(authenticate(basic('alice', token)))).toBe('none')
    const there = '198.51.100.9'
    for (let i = 0; i < 5; i++) {
      expect(await codeOf(authenticate(basic('alice', `ept_${i}`), there))).toBe('unauthenticated')
    }
    expect(await codeOf(authenticate(basic('alice', 'ept_5'), there))).toBe('rate_limited')
    expect(await codeOf(authenticate(basic('alice', token), there))).toBe('none')
    expect(await codeOf(authenticate(basic('alice', PASSWORD), there))).toBe('none')
  })

  test('checkPassword takes the password only, and counts', async () => {
    const { token } = await accounts.apiTokens.create(alice, { name: 'ci' })
    const check = (password: string) =>
      codeOf(accounts.authenticator.checkPassword('alice', password, ADDRESS))
    expect(await check(PASSWORD)).toBe('none')
    for (let i = 0; i < 5; i++) expect(await check(token)).toBe('unauthenticated')
    expect(await check(PASSWORD)).toBe('rate_limited')
  })
})
