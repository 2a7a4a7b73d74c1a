import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import { because } from '../lib/reasons.ts'
import { equalSecrets, hashSecret } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import {
  type AccountState,
  type AccountStates,
  mayEnter,
  stateColumns,
  stateOf,
} from './account-states.ts'
import { API_TOKEN_PREFIX, type ApiTokens } from './api-tokens.ts'
import type { LoginGuard } from './login-guard.ts'
import { createLoginMemory } from './login-memory.ts'
import { couldBeAccountName } from './names.ts'
import { MAX_PASSWORD_BYTES, type Passwords } from './passwords.ts'
import { anonymous, type Login, type Principal } from './principal.ts'
import type { RegistryTokens } from './registry-tokens.ts'

export interface Authenticator {
  /**
   * Who sends this `Authorization` header; without one, or with Basic of an empty name and
   * password (containers/image), anonymous. For the registry: takes registry tokens too.
   * Throws `unauthenticated` (for Bearer with `details.error = 'invalid_token'`) or
   * `rate_limited`. `service` is the audience that a registry token must be for.
   */
  authenticate(
    authorization: string | null | undefined,
    address: string,
    service?: string,
  ): Promise<Principal>
  /** As `authenticate` for every other face: refuses registry tokens, which are for `/v2` only. */
  authenticateApi(authorization: string | null | undefined, address: string): Promise<Principal>
  /** Who has this name and this password, API token or robot's secret. */
  signIn(name: string, secret: string, address: string): Promise<Principal>
  /** As `signIn`, but takes nothing but the person's own password, and proves it anew. */
  checkPassword(name: string, password: string, address: string): Promise<Principal>
  /**
   * Somebody who was authenticated before, as the account is now: for work that took long. A
   * registry token may have expired meanwhile, but not been revoked.
   * @throws AppError unauthenticated
   */
  renew(principal: Principal): Promise<Principal>
  /** Drops what this process remembers of an account, after changing it. */
  forget(account: number): void
}

export function createAuthenticator(deps: {
  db: Db
  clock: Clock
  states: AccountStates
  passwords: Passwords
  guard: LoginGuard
  apiTokens: ApiTokens
  registryTokens: RegistryTokens
  service: string
}): Authenticator {
  const { db, clock, states, passwords, guard, apiTokens, registryTokens } = deps
  const logins = createLoginMemory(clock)

  async function authenticate(
    authorization: string | null | undefined,
    address: string,
    service = deps.service,
  ): Promise<Principal> {
    if (!authorization) return anonymous
    const [scheme = '', credentials = ''] = splitOnce(authorization.trim(), ' ')
    switch (scheme.toLowerCase()) {
      case 'basic': {
        const { name, secret } = decodeBasic(credentials.trim())
        return name === '' && secret === '' ? anonymous : signIn(name, secret, address)
      }
      case 'bearer': {
        const token = credentials.trim()
        return token.startsWith(API_TOKEN_PREFIX)
          ? logins.once(`${API_TOKEN_PREFIX}\n${token}`, () => byApiToken(token))
          : byRegistryToken(token, service)
      }
      default:
        throw new AppError(
          'unauthenticated',
          'the Authorization header must be of the scheme Basic or Bearer',
        )
    }
  }

  async function byRegistryToken(token: string, service: string): Promise<Principal> {
    const { account, epoch, credential, access } = await registryTokens.verify(token, service)
    if (account === null) return { ...anonymous, scope: access }
    const state = await states.read(account, epoch, credential)
    if (state?.epoch !== epoch) throw revoked()
    const login: Login = {
      method: 'registry-token',
      epoch,
      expiresAt: state.expiresAt,
      ...(credential ? { credential } : {}),
    }
    return { ...principalOf(state, login), scope: access }
  }

  async function byApiToken(token: string, name?: string): Promise<Principal> {
    const found = await apiTokens.find(token)
    if (!found || (name !== undefined && found.account.name !== name)) {
      throw new AppError('unauthenticated', 'the API token is unknown, expired or revoked', {
        error: 'invalid_token',
      })
    }
    return principalOf(found.account, {
      method: 'api-token',
      epoch: found.account.epoch,
      credential: { kind: 'api-token', id: found.id },
      expiresAt: earliest(found.account.expiresAt, found.expiresAt),
    })
  }

  async function signIn(name: string, secret: string, address: string): Promise<Principal> {
    return logins.once(`${address}\n${name}\n${secret}`, () => {
      if (secret.startsWith(API_TOKEN_PREFIX)) {
        return guarded(name, address, () => byApiToken(secret, name))
      }
      return name.includes('+')
        ? guarded(name, address, () => byRobotSecret(name, secret))
        : byPassword(name, secret, address)
    })
  }

  /**
   * For generated secrets, which nobody guesses: a good one always passes, and only the failures
   * are counted, so that a script gone wrong does not make work without end.
   */
  async function guarded(
    name: string,
    address: string,
    prove: () => Promise<Principal>,
  ): Promise<Principal> {
    try {
      return await prove()
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unauthenticated') throw error
      await guard.check(`secret:${name}`, address)
      await guard.failed(`secret:${name}`, address, false)
      throw wrongCredentials()
    }
  }

  async function byRobotSecret(name: string, secret: string): Promise<Principal> {
    const now = clock()
    const rows = couldBeAccountName(name)
      ? await db.query
          .selectFrom('account')
          .innerJoin('credential', 'credential.account', 'account.id')
          .select([
            ...stateColumns,
            'credential.id as credential_id',
            'credential.hash',
            'credential.expires_at as credential_expires_at',
          ])
          .where('account.name', '=', name)
          .where('credential.kind', '=', 'secret')
          .where((where) =>
            where.or([
              where('credential.expires_at', 'is', null),
              where('credential.expires_at', '>', now),
            ]),
          )
          .where((where) => mayEnter(where, now))
          .execute()
      : []
    const hash = hashSecret(secret)
    const row = rows.find((candidate) => equalSecrets(candidate.hash, hash))
    if (!row) throw wrongCredentials()
    const state = stateOf(row)
    return principalOf(state, {
      method: 'secret',
      epoch: state.epoch,
      credential: { kind: 'secret', id: row.credential_id },
      expiresAt: earliest(state.expiresAt, row.credential_expires_at),
    })
  }

  async function byPassword(name: string, password: string, address: string): Promise<Principal> {
    const subject = `password:${name}`
    // Before queueing for a place, so that those who are blocked do not crowd out the others.
    await guard.check(subject, address)
    return passwords.verifying(async (verify) => {
      // And again, so that guesses sent all at once are counted one after the other.
      await guard.check(subject, address)
      const now = clock()
      const row = couldBeAccountName(name)
        ? await db.query
            .selectFrom('account')
            .innerJoin('credential', 'credential.account', 'account.id')
            .select([...stateColumns, 'credential.hash'])
            .where('account.name', '=', name)
            .where('account.kind', '=', 'user')
            .where('credential.kind', '=', 'password')
            .where((where) => mayEnter(where, now))
            .executeTakeFirst()
        : undefined
      const tooLong = Buffer.byteLength(password) > MAX_PASSWORD_BYTES
      // The same work whether or not the name exists.
      const good = await verify(tooLong ? '' : password, row?.hash)
      if (!row || !good) {
        await guard.failed(subject, address)
        throw wrongCredentials()
      }
      await guard.succeeded(subject, address)
      const state = stateOf(row)
      return principalOf(state, {
        method: 'password',
        epoch: state.epoch,
        expiresAt: state.expiresAt,
      })
    })
  }

  return {
    authenticate,
    async authenticateApi(authorization, address) {
      const principal = await authenticate(authorization, address)
      if (!principal.scope) return principal
      throw new AppError(
        'unauthenticated',
        'a registry token is good for /v2 only; use your password or an API token here',
        { error: 'invalid_token' },
      )
    },
    signIn,
    checkPassword: byPassword,
    async renew(principal) {
      const { account, login, scope } = principal
      if (account === null || !login) return principal
      const state = await states.read(account, login.epoch, login.credential)
      if (state?.epoch !== login.epoch) throw revoked()
      return { ...principalOf(state, login), ...(scope ? { scope } : {}) }
    },
    forget(account) {
      states.forget(account)
      logins.forget(account)
    },
  }
}

function principalOf({ kind, id, name, isAdmin }: AccountState, login: Login): Principal {
  return { kind, account: id, name, isAdmin, login }
}

function decodeBasic(encoded: string): { name: string; secret: string } {
  const well = /^[A-Za-z0-9+/]*={0,2}$/.test(encoded)
  const [name, secret] = splitOnce(Buffer.from(encoded, 'base64').toString('utf8'), ':')
  if (!well || name === undefined || secret === undefined) {
    throw new AppError('unauthenticated', 'the Basic credentials are not base64 of name:password')
  }
  return { name, secret }
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function earliest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}

function revoked(): AppError {
  return new AppError(
    'unauthenticated',
    'the token was revoked, or its account was changed or disabled; sign in again',
    { error: 'invalid_token' },
  )
}

/** The same for an unknown name, a wrong password and a disabled account. */
function wrongCredentials(): AppError {
  return new AppError(
    'unauthenticated',
    'the name or the password is wrong, or the account is disabled or expired',
    because('sign_in_wrong', {}),
  )
}
