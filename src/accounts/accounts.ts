import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Sealer } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import { type AccessKeys, createAccessKeys } from './access-keys.ts'
import { createAccountStates } from './account-states.ts'
import { type ApiTokens, createApiTokens } from './api-tokens.ts'
import { type Authenticator, createAuthenticator } from './authenticate.ts'
import { type Authorizer, type AuthorizeSettings, createAuthorizer } from './authorize.ts'
import { createFirstAdmin, type FirstAdmin } from './bootstrap.ts'
import { createLoginGuard, type GuardLimits } from './login-guard.ts'
import { createMembers, type Members } from './members.ts'
import { createPasswords, type PasswordLimits } from './passwords.ts'
import { createProjectTokens, type ProjectTokens } from './project-tokens.ts'
import { createRefreshTokens, type RefreshTokens } from './refresh-tokens.ts'
import { createRegistryTokens, type RegistryTokens } from './registry-tokens.ts'
import { createRobots, type Robots } from './robots.ts'
import { checkSealingKey } from './sealing-check.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createSignedRequests, type SignedRequests } from './signed-requests.ts'
import { createSigningKeys, type SigningKeys } from './signing-keys.ts'
import { createUsers, type Users } from './users.ts'

const DAY_MS = 86_400_000

export interface AccountsSettings {
  authorize: AuthorizeSettings
  /** Who registry tokens are for, as the challenge names it. The same in all replicas. */
  service: string
  /** Who registry tokens are by; default: `service`. */
  issuer?: string
  /** Of registry tokens, default 300. */
  tokenLifetimeSeconds?: number
  /** Of refresh tokens after their last use, default 30 days. */
  refreshTokenLifetimeMs?: number
  /** A session of the console that nobody used for this long ends, default 12 hours. */
  sessionIdleMs?: number
  /** Of a session from the sign-in on, default 7 days. */
  sessionLifetimeMs?: number
  guard?: Partial<GuardLimits>
  passwords?: Partial<PasswordLimits>
}

export interface Accounts {
  authenticator: Authenticator
  authorizer: Authorizer
  users: Users
  robots: Robots
  members: Members
  apiTokens: ApiTokens
  registryTokens: RegistryTokens
  refreshTokens: RefreshTokens
  projectTokens: ProjectTokens
  accessKeys: AccessKeys
  signedRequests: SignedRequests
  sessions: Sessions
  signingKeys: SigningKeys
  /**
   * Before anything else, in every process: checks the sealing key, makes the first signing key
   * and the first administrator. Safe to call at once from several; one gets the administrator.
   */
  prepare(options?: { adminPassword?: string | undefined }): Promise<FirstAdmin | undefined>
  /** To be run now and then by one process: deletes what expired, changes an old signing key. */
  sweep(): Promise<void>
}

/** How long one key signs. */
const SIGNING_KEY_LIFETIME_MS = 90 * DAY_MS

/** Identity: who there is, who asks, what he may do. */
export function createAccounts(deps: {
  db: Db
  clock: Clock
  sealer: Sealer
  settings: AccountsSettings
  log?: Log
}): Accounts {
  const { db, clock, sealer, settings, log } = deps
  const { service } = settings
  const authorizer = createAuthorizer({ db, clock, settings: settings.authorize })
  const passwords = createPasswords(settings.passwords)
  const guard = createLoginGuard({ db, clock, limits: settings.guard })
  const states = createAccountStates({ db, clock })
  const signingKeys = createSigningKeys({ db, clock, sealer })
  const registryTokens = createRegistryTokens({
    keys: signingKeys,
    clock,
    issuer: settings.issuer ?? service,
    lifetimeSeconds: settings.tokenLifetimeSeconds ?? 300,
  })
  const refreshTokens = createRefreshTokens({
    db,
    clock,
    lifetimeMs: settings.refreshTokenLifetimeMs ?? 30 * DAY_MS,
  })
  const sessions = createSessions({
    db,
    clock,
    idleMs: settings.sessionIdleMs ?? DAY_MS / 2,
    lifetimeMs: settings.sessionLifetimeMs ?? 7 * DAY_MS,
  })
  const forget = (account: number) => authenticator.forget(account)
  const apiTokens = createApiTokens({ db, clock, forget })
  const projectTokens = createProjectTokens({ db, clock, states })
  const accessKeys = createAccessKeys({ db, clock, sealer, forget })
  const signedRequests = createSignedRequests({ db, clock, accessKeys, guard })
  const authenticator = createAuthenticator({
    db,
    clock,
    states,
    passwords,
    guard,
    apiTokens,
    registryTokens,
    service,
  })

  return {
    authenticator,
    authorizer,
    users: createUsers({ db, clock, passwords, forget }),
    robots: createRobots({ db, clock, forget, forgetMember: authorizer.forget }),
    members: createMembers({ db, clock, forget: authorizer.forget }),
    apiTokens,
    registryTokens,
    refreshTokens,
    projectTokens,
    accessKeys,
    signedRequests,
    sessions,
    signingKeys,
    async prepare({ adminPassword } = {}) {
      await checkSealingKey(db, sealer)
      await signingKeys.prepare()
      return createFirstAdmin({ db, clock, passwords, password: adminPassword })
    },
    async sweep() {
      const failures = await guard.sweep()
      const refresh = await refreshTokens.sweep()
      const projects = await projectTokens.sweep()
      const signatures = await signedRequests.sweep()
      const ended = await sessions.sweep()
      const rotated = await signingKeys.rotate(SIGNING_KEY_LIFETIME_MS)
      log?.info('accounts swept', {
        failures,
        refreshTokens: refresh,
        projectTokens: projects,
        seenSignatures: signatures,
        sessions: ended,
        rotatedSigningKey: rotated,
      })
    },
  }
}
