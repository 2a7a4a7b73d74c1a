import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync } from 'node:fs'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import { codeOf } from './code-of.ts'
import { AppError } from './errors.ts'
import { newHex } from './ids.ts'

const KEY_BYTES = 32
const KEY_FILE = 'sealing.key'

/** Encrypts what must not stand readable in the database. */
export interface Sealer {
  /** Names the key; stands in everything sealed and, as a check, in the database. */
  readonly keyId: string
  /** Compact JWE, `dir` with A256GCM. */
  seal(secret: string | Uint8Array): Promise<string>
  /** Fails with `internal` when it was changed or sealed with another key. */
  open(sealed: string): Promise<Uint8Array>
  openText(sealed: string): Promise<string>
}

export interface SealingKeySource {
  /** 32 bytes, base64. */
  value?: string | undefined
  dataFolder: string
}

export interface SealingKey {
  /** 32 bytes. */
  key: Uint8Array
  keyId: string
}

export function createSealer({ key, keyId }: SealingKey): Sealer {
  async function unseal(sealed: string): Promise<Uint8Array> {
    const usedKey = keyIdOf(sealed)
    if (usedKey !== keyId) {
      throw new AppError(
        'internal',
        `this secret was sealed with key ${usedKey ?? 'unknown'}, the sealing key is ${keyId}`,
      )
    }
    try {
      const { plaintext } = await compactDecrypt(sealed, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      return plaintext
    } catch (error) {
      throw new AppError('internal', 'a sealed secret cannot be opened', {}, error)
    }
  }

  return {
    keyId,
    async seal(secret) {
      const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
      return new CompactEncrypt(bytes)
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: keyId })
        .encrypt(key)
    },
    open: unseal,
    async openText(sealed) {
      return new TextDecoder().decode(await unseal(sealed))
    },
  }
}

function keyIdOf(sealed: string): string | undefined {
  try {
    const { kid } = decodeProtectedHeader(sealed)
    return typeof kid === 'string' ? kid : undefined
  } catch {
    return undefined
  }
}

/** Tells keys apart and gives nothing of them away: 16 hex digits. */
export function fingerprintOf(key: Uint8Array): string {
  return createHash('sha256')
    .update('entrepot sealing key\n')
    .update(key)
    .digest('hex')
    .slice(0, 16)
}

/**
 * The sealing key: `value` (32 bytes, base64) where given, otherwise the file `sealing.key` in
 * the data folder, which is made on the first start. Processes that start at once get the same
 * key: it is written aside and linked to its name, which only the first one can do.
 */
export async function loadSealingKey(source: SealingKeySource): Promise<SealingKey> {
  if (source.value !== undefined) {
    return parseKey(source.value, 'the setting ENTREPOT_SEALING_KEY')
  }
  const file = join(source.dataFolder, KEY_FILE)
  const text = (await readIfThere(file)) ?? (await createKeyFile(source.dataFolder, file))
  return parseKey(text, `the file ${file}`)
}

/** False: `loadSealingKey` would make one. */
export function hasSealingKey({ value, dataFolder }: SealingKeySource): boolean {
  return value !== undefined || existsSync(join(dataFolder, KEY_FILE))
}

async function createKeyFile(folder: string, file: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = `${file}.${newHex(8)}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    await link(draft, file)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
  const entry = await open(folder, 'r')
  await entry.sync()
  await entry.close()
  return readFile(file, 'utf8')
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function parseKey(text: string, source: string): SealingKey {
  const trimmed = text.trim()
  const key = /^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed) ? Buffer.from(trimmed, 'base64') : undefined
  if (key?.length !== KEY_BYTES) {
    throw new AppError(
      'invalid_input',
      `${source} must hold ${KEY_BYTES} bytes in base64 (make one with: openssl rand -base64 32)`,
    )
  }
  return { key: new Uint8Array(key), keyId: fingerprintOf(key) }
}

/** sha256, hex: the form in which generated secrets of 256 bits are kept. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Compares two texts in a time that depends on their lengths only. */
export function equalSecrets(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
