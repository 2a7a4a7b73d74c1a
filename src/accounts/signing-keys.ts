import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose'
import type { Clock } from '../lib/clock.ts'
import { AppError } from '../lib/errors.ts'
import type { Sealer } from '../lib/secrets.ts'
import type { Db } from '../store/db/database.ts'
import type { NewRow } from '../store/db/schema.ts'

/** The setting that names the key which signs; its row is also the lock for changing that. */
const ACTIVE = 'signing_key'
/** How long a process may not know that another one changed the keys. */
const KEYS_LIFETIME_MS = 60_000
/** An unknown key id makes us look again, but not for every forged token. */
const RELOAD_PAUSE_MS = 1_000
/** A retired key verifies for longer than any token lives, then it is deleted. */
const KEEP_RETIRED_MS = 86_400_000

export interface SigningKeys {
  /** Makes the first key; any number of processes may do so at once and get the same. */
  prepare(): Promise<void>
  /** The key that signs now. */
  active(): Promise<{ kid: string; key: CryptoKey }>
  /** The public key with this id, if it is one of ours and not deleted. */
  verifier(kid: string): Promise<CryptoKey | undefined>
  /** Replaces the key that signs, if it is older than `olderThanMs`; true when it did. */
  rotate(olderThanMs?: number): Promise<boolean>
  /** Deletes a key, so that what it signed is void within a minute. Not the one that signs. */
  remove(kid: string): Promise<void>
}

interface Loaded {
  at: number
  active: { kid: string; key: CryptoKey }
  verifiers: Map<string, CryptoKey>
}

/** ES256 keys for registry tokens: public parts in the clear, private ones sealed. */
export function createSigningKeys(deps: { db: Db; clock: Clock; sealer: Sealer }): SigningKeys {
  const { db, clock, sealer } = deps
  let loaded: Loaded | undefined
  let loading: Promise<Loaded> | undefined

  async function load(): Promise<Loaded> {
    const at = clock()
    const rows = await db.query
      .selectFrom('signing_key')
      .leftJoin('setting', (join) =>
        join.onRef('setting.value', '=', 'signing_key.kid').on('setting.key', '=', ACTIVE),
      )
      .select(['kid', 'public_key', 'private_key', 'setting.key as active'])
      .execute()
    const verifiers = new Map<string, CryptoKey>()
    let active: Loaded['active'] | undefined
    for (const row of rows) {
      const known = loaded?.verifiers.get(row.kid)
      verifiers.set(row.kid, known ?? (await importKey(row.public_key)))
      if (row.active === null) continue
      active =
        loaded?.active.kid === row.kid
          ? loaded.active
          : { kid: row.kid, key: await importKey(await sealer.openText(row.private_key)) }
    }
    if (!active) throw new AppError('internal', 'there is no key to sign registry tokens with')
    loaded = { at, active, verifiers }
    return loaded
  }

  async function current(maxAge = KEYS_LIFETIME_MS): Promise<Loaded> {
    if (loaded && clock() - loaded.at < maxAge) return loaded
    loading ??= load().finally(() => {
      loading = undefined
    })
    return loading
  }

  return {
    async prepare() {
      const there = await db.query
        .selectFrom('setting')
        .select('value')
        .where('key', '=', ACTIVE)
        .executeTakeFirst()
      if (there) return
      const row = await newKey(sealer, clock())
      await db.transaction(async (tx) => {
        // Whoever writes the setting makes the key; the others wait here and find it made.
        const first = await tx
          .insertInto('setting')
          .values({ key: ACTIVE, value: row.kid })
          .onConflict((conflict) => conflict.column('key').doNothing())
          .returning('key')
          .executeTakeFirst()
        if (first) await tx.insertInto('signing_key').values(row).execute()
      })
    },
    async active() {
      return (await current()).active
    },
    async verifier(kid) {
      const key = (await current()).verifiers.get(kid)
      return key ?? (await current(RELOAD_PAUSE_MS)).verifiers.get(kid)
    },
    async rotate(olderThanMs = 0) {
      const now = clock()
      const row = await newKey(sealer, now)
      const rotated = await db.transaction(async (tx) => {
        const { value: oldKid } = await db.engine
          .lockRows(tx.selectFrom('setting').select('value').where('key', '=', ACTIVE), 'update')
          .executeTakeFirstOrThrow()
        const old = await tx
          .selectFrom('signing_key')
          .select('created_at')
          .where('kid', '=', oldKid)
          .executeTakeFirstOrThrow()
        if (now - old.created_at < olderThanMs) return false
        await tx.insertInto('signing_key').values(row).execute()
        await tx.updateTable('setting').set({ value: row.kid }).where('key', '=', ACTIVE).execute()
        await tx
          .updateTable('signing_key')
          .set({ retired_at: now })
          .where('kid', '=', oldKid)
          .execute()
        await tx
          .deleteFrom('signing_key')
          .where('retired_at', '<', now - KEEP_RETIRED_MS)
          .execute()
        return true
      })
      if (rotated) await load()
      return rotated
    },
    async remove(kid) {
      const deleted = await db.query
        .deleteFrom('signing_key')
        .where('kid', '=', kid)
        .where('retired_at', 'is not', null)
        .returning('kid')
        .executeTakeFirst()
      if (!deleted) throw new AppError('conflict', `no retired signing key has the id ${kid}`)
      await load()
    },
  }
}

async function newKey(sealer: Sealer, now: number): Promise<NewRow<'signing_key'>> {
  const pair = await generateKeyPair('ES256', { extractable: true })
  const publicJwk = await exportJWK(pair.publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    kid,
    public_key: JSON.stringify({ ...publicJwk, kid, alg: 'ES256', use: 'sig' }),
    private_key: await sealer.seal(JSON.stringify(await exportJWK(pair.privateKey))),
    created_at: now,
    retired_at: null,
  }
}

async function importKey(json: string): Promise<CryptoKey> {
  const jwk: JWK = JSON.parse(json)
  const key = await importJWK(jwk, 'ES256')
  if (key instanceof Uint8Array) throw new AppError('internal', 'a signing key is of a wrong type')
  return key
}
