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
