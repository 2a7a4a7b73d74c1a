import type { Generated } from 'kysely'
import type { Flag } from './schema-columns.ts'

/* Who may come in, and what they may do. */

/** A user or a robot. `version` is the ETag of an update; it changes with every one. */
export interface AccountTable {
  id: Generated<number>
  kind: 'user' | 'robot'
  /** `alice`; of a robot `<project>+<name>`, or `system+<name>`. */
  name: string
  display_name: Generated<string>
  email: string | null
  /** System administrator. Never a robot. */
  is_admin: Generated<Flag>
  disabled: Generated<Flag>
  /** The project a robot belongs to; null for users and robots of the system. */
  project: number | null
  /** Tokens that were issued before this time are void. */
  valid_after: Generated<number>
  /** After this time the account cannot sign in; null: never. */
  expires_at: number | null
  created_at: number
  updated_at: number
  version: Generated<number>
}

/** A password (argon2id, of people) or a generated secret (sha256, of robots). */
export interface CredentialTable {
  id: Generated<number>
  account: number
  kind: 'password' | 'secret'
  hash: string
  created_at: number
  /** Set on the old one during a rotation with overlap. */
  expires_at: number | null
  /** A password that the program made up at its first start: nobody has chosen it yet. */
  generated: Generated<Flag>
}

export interface ApiTokenTable {
  id: Generated<number>
  account: number
  name: string
  hash: string
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}

export interface RefreshTokenTable {
  id: Generated<number>
  account: number
  hash: string
  service: string
  created_at: number
  expires_at: number
}

/** A sign-in of the console, by the hash of what its cookie holds. */
export interface SessionTable {
  id: Generated<number>
  account: number
  hash: string
  /** Of the client at the sign-in, for people who look for strangers in their list. */
  address: string
  user_agent: string
  created_at: number
  /** To within a minute: an idle session ends. */
  used_at: number
  /** Ends then, however busy. */
  expires_at: number
}

/** For programs that sign each request; see `lib/huawei-signature.ts`. */
export interface AccessKeyTable {
  id: Generated<number>
  account: number
  name: string
  /** What requests name it by; no secret. */
  access_key: string
  /** JWE: a signature is checked with the secret itself, so a hash would not do. */
  sealed_secret: string
  disabled: Generated<Flag>
  created_at: number
  expires_at: number | null
  last_used_at: number | null
}

/** What a password was exchanged for in the form of Keystone. */
export interface ProjectTokenTable {
  id: Generated<number>
  account: number
  hash: string
  /** It is good for this project alone; null: for all of the account's. */
  project: number | null
  /** `valid_after` of the account as it signed in. */
  epoch: number
  /** What it was exchanged for, where that was no password. */
  credential_kind: 'api-token' | 'secret' | null
  credential: number | null
  created_at: number
  expires_at: number
}

/** Signatures of changes, so that none is carried out twice. */
export interface SeenSignatureTable {
  signature: string
  /** From then on its date is too old anyway. */
  expires_at: number
}

export interface SigningKeyTable {
  kid: string
  /** JWK, JSON. */
  public_key: string
  /** JWK, sealed (JWE compact). */
  private_key: string
  created_at: number
  /** Signs no more after this time, still verifies. */
  retired_at: number | null
}

/** Failed sign-ins, by account name and by address, in a sliding window. */
export interface LoginFailureTable {
  key: string
  failures: number
  window_start: number
  blocked_until: number
}

export type Role = 'guest' | 'developer' | 'maintainer' | 'admin'

export interface MemberTable {
  project: number
  account: number
  role: Role
  created_at: number
}
