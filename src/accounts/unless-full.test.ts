import { expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { ADDRESS, basic, codeOf, createTestAccounts, PASSWORD, SERVICE } from './test-accounts.ts'
import { unlessFull } from './unless-full.ts'

test('only a full disk is a reason to leave something out', async () => {
  const failing = (error: Error) => unlessFull(() => Promise.reject(error))
  expect(await unlessFull(async () => 7)).toBe(7)
  expect(await failing(new AppError('storage_full', 'full'))).toBeUndefined()
  await expect(failing(new AppError('unavailable', 'gone'))).rejects.toThrow('gone')
  await expect(failing(new TypeError('a mistake'))).rejects.toThrow('a mistake')
})

onEachEngine('on a full disk', (create) => {
  test('everybody who was let in before gets in, and nobody else', async () => {
    const accounts = await createTestAccounts({}, create)
    try {
      const alice = await accounts.createUser('alice')
      const principal = await accounts.authenticator.checkPassword('alice', PASSWORD, ADDRESS)
      const refresh = await accounts.refreshTokens.issue(principal, SERVICE)
      const { token } = await accounts.apiTokens.create(alice, { name: 'ci', expiresAt: null })
      const key = await accounts.accessKeys.create(alice, { name: 'sdk', expiresAt: null })
      // So that each of them has its use to note.
      accounts.pass(2 * 86_400_000)
      const session = await accounts.sessions.open(principal, { address: ADDRESS, userAgent: '' })
      accounts.pass(300_000)

      const { authenticator, sessions, apiTokens, accessKeys, refreshTokens } =
        accounts.onFullDisk()
      const wrong = () => authenticator.authenticate(basic('alice', 'wrong'), ADDRESS)
      expect(await codeOf(wrong())).toBe('unauthenticated')
      expect(await authenticator.checkPassword('alice', PASSWORD, ADDRESS)).toEqual(principal)
      expect((await apiTokens.find(token))?.account.name).toBe('alice')
      const found = await accessKeys.find(key.accessKey)
      if (!found) throw new Error('the access key is not known')
      await accessKeys.used(found)
      expect((await refreshTokens.use(refresh ?? '', SERVICE)).name).toBe('alice')
      expect((await sessions.use(session.token))?.principal.name).toBe('alice')
    } finally {
      await accounts.remove()
    }
  })
})
