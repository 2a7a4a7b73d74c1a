/** Who asks. Made by `authenticate()` only. */
export interface Principal {
  kind: 'anonymous' | 'user' | 'robot'
  /** null for anonymous. */
  account: number | null
  /** As people know it: `alice`, `payments+ci`, `anonymous`. */
  name: string
  isAdmin: boolean
  /**
   * What the bearer token was issued for; undefined: the token (or password) does not narrow.
   * It only ever narrows: what the account may do is asked of the database each time.
   */
  scope?: readonly GrantedScope[]
  /** How the account was proven; a token that is issued on its strength carries it on. */
  login?: Login
}

export interface Login {
  method:
    | 'access-key'
    | 'project-token'
    | 'password'
    | 'secret'
    | 'api-token'
    | 'refresh-token'
    | 'registry-token'
    | 'session'
  /** The account's `valid_after` at that time: tokens with another one are void. */
  epoch: number
  /** What must still be there for a token that was issued on its strength to be good. */
  credential?: CredentialRef
  /** When the account or the credential expires, epoch milliseconds; null: never. */
  expiresAt: number | null
}

/**
 * A revocable thing that proves an account without a password. `runner-task`: the copy that a runner
 * makes for the account, as long as the runner holds it.
 */
export interface CredentialRef {
  kind: 'api-token' | 'secret' | 'access-key' | 'runner-task'
  id: number
}

/** One granted scope of a registry token (distribution token specification). */
export interface GrantedScope {
  type: 'repository' | 'registry'
  /** Canonical repository name, or `catalog`. */
  name: string
  actions: readonly string[]
  /** The project that the name stood for when the token was issued; a new one does not inherit. */
  project?: number
}

export const anonymous: Principal = {
  kind: 'anonymous',
  account: null,
  name: 'anonymous',
  isAdmin: false,
}
