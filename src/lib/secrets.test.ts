import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import { createSealer, fingerprintOf, hashSecret, loadSealingKey } from './secrets.ts'

const key = new Uint8Array(32).fill(1)
const sealer = createSealer({ key, keyId: fingerprintOf(key) })

describe('sealer', () => {
  test('what is sealed opens again, text and bytes', async () => {
    expect(await sealer.openText(await sealer.seal('pässword'))).toBe('pässword')
    const bytes = new Uint8Array([0, 255, 10])
    expect(await sealer.open(await sealer.seal(bytes))).toEqual(bytes)
  })

  test('it is a JWE that names its key, and never the same twice', async () => {
    const sealed = await sealer.seal('secret')
    expect(decodeProtectedHeader(sealed)).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      kid: sealer.keyId,
    })
    expect(await sealer.seal('secret')).not.toBe(sealed)
  })

  test('what was changed does not open', async () => {
    const parts = (await sealer.seal('secret')).split('.')
    parts[3] = `${parts[3]?.startsWith('A') ? 'B' : 'A'}${parts[3]?.slice(1)}`
    await expect(sealer.openText(parts.join('.'))).rejects.toThrow('cannot be opened')
    await expect(sealer.openText('nonsense')).rejects.toThrow('key unknown')
  })

  test('another key is told apart by its name', async () => {
    const otherKey = new Uint8Array(32).fill(2)
    const other = createSealer({ key: otherKey, keyId: fingerprintOf(otherKey) })
    const sealed = await sealer.seal('secret')
    await expect(other.open(sealed)).rejects.toThrow(sealer.keyId)
    const pretender = createSealer({ key: otherKey, keyId: sealer.keyId })
    await expect(pretender.open(sealed)).rejects.toThrow('cannot be opened')
  })
})

describe('loadSealingKey', () => {
  const folders: string[] = []
  const folder = () => {
    const made = mkdtempSync(join(tmpdir(), 'entrepot-key-'))
    folders.push(made)
    return made
  }
  afterEach(() => {
    for (const made of folders.splice(0)) rmSync(made, { recursive: true })
  })

  test('many that start at once make one key, which only the owner reads', async () => {
    const dataFolder = join(folder(), 'data')
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadSealingKey({ dataFolder })))
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(1)
    expect(readdirSync(dataFolder)).toEqual(['sealing.key'])
    expect(statSync(join(dataFolder, 'sealing.key')).mode & 0o777).toBe(0o600)
    expect((await loadSealingKey({ dataFolder })).keyId).toBe(keys[0]?.keyId ?? '')
  })

  test('the setting wins and leaves no file', async () => {
    const dataFolder = folder()
    const value = Buffer.from(key).toString('base64')
    const loaded = await loadSealingKey({ value, dataFolder })
    expect(loaded.key).toEqual(key)
    expect(readdirSync(dataFolder)).toEqual([])
  })

  test('what is no key is refused by its source, and not printed', async () => {
    const dataFolder = folder()
    for (const value of ['', 'short', `${'A'.repeat(42)}=`, 'ä'.repeat(44)]) {
      await expect(loadSealingKey({ value, dataFolder })).rejects.toThrow(
        'ENTREPOT_SEALING_KEY must',
      )
    }
    writeFileSync(join(dataFolder, 'sealing.key'), 'half a k')
    const failure = await loadSealingKey({ dataFolder }).catch((error: Error) => error.message)
    expect(failure).toContain('sealing.key must hold 32 bytes')
    expect(failure).not.toContain('half')
  })
})

test('secrets are kept as sha256', () => {
  expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
