import { expect, test } from 'bun:test'
import { checkNewPassword, createPasswords } from './passwords.ts'
import { codeOf } from './test-accounts.ts'

test('a hash is argon2id with 9 MiB and four passes, and verifies its password only', async () => {
  const passwords = createPasswords()
  const hash = await passwords.hash('Correct-horse-1')
  expect(hash).toStartWith('$argon2id$v=19$m=9216,t=4,p=1$')
  expect(await passwords.verifying((verify) => verify('Correct-horse-1', hash))).toBe(true)
  expect(await passwords.verifying((verify) => verify('correct-horse-1', hash))).toBe(false)
  expect(await passwords.verifying((verify) => verify('Correct-horse-1', undefined))).toBe(false)
})

test('without a hash it works as long as with one', async () => {
  const passwords = createPasswords()
  const hash = await passwords.hash('Correct-horse-1')
  const spent = async (against: string | undefined) => {
    const times: number[] = []
    for (let i = 0; i < 7; i++) {
      const start = performance.now()
      await passwords.verifying((verify) => verify('guess', against))
      times.push(performance.now() - start)
    }
    // The best of several: the machine may be busy with other things meanwhile.
    return Math.min(...times)
  }
  const [known, unknown] = [await spent(hash), await spent(undefined)]
  expect(unknown).toBeGreaterThan(known / 3)
  expect(unknown).toBeLessThan(known * 3)
})

test('two at once, some wait, the others are sent away', async () => {
  const passwords = createPasswords({ concurrent: 2, queue: 2, waitMs: 1_000 })
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
  let running = 0
  const work = gates.map((gate) =>
    passwords.verifying(async () => {
      running++
      await gate.promise
      running--
    }),
  )
  await Bun.sleep(1)
  expect(running).toBe(2)
  expect(await codeOf(passwords.hash('Correct-horse-1'))).toBe('rate_limited')
  gates[0]?.resolve()
  await work[0]
  await Bun.sleep(1)
  expect(running).toBe(2)
  for (const gate of gates) gate.resolve()
  await Promise.all(work)
  expect(running).toBe(0)
})

test('who waits too long is sent away, and leaves no place behind', async () => {
  const passwords = createPasswords({ concurrent: 1, waitMs: 5 })
  const gate = Promise.withResolvers<void>()
  const first = passwords.verifying(() => gate.promise)
  expect(await codeOf(passwords.verifying(async () => 'late'))).toBe('rate_limited')
  gate.resolve()
  await first
  expect(await passwords.verifying(async () => 'now')).toBe('now')
})

test('a work that fails gives its place back', async () => {
  const passwords = createPasswords({ concurrent: 1 })
  await expect(passwords.verifying(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await passwords.verifying(async () => 'next')).toBe('next')
})

test('a weak password is told everything that it lacks', () => {
  expect(() => checkNewPassword('abc')).toThrow(
    'the password needs at least 8 characters, an upper-case letter, a digit',
  )
  expect(() => checkNewPassword('ABCDEFG1')).toThrow('a lower-case letter')
  expect(() => checkNewPassword('Abcdefgh')).toThrow('a digit')
  expect(() => checkNewPassword(`Aa1${'x'.repeat(1_022)}`)).toThrow('at most 1024 bytes')
  expect(() => checkNewPassword('ept_Abcdef1')).toThrow('another beginning')
  expect(() => checkNewPassword('Abcdefg1')).not.toThrow()
  expect(() => checkNewPassword('Пароль-42')).not.toThrow()
})
