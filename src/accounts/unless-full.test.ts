import { expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import { unlessFull } from './unless-full.ts'

test('only a full disk is a reason to leave something out', async () => {
  const failing = (error: Error) => unlessFull(() => Promise.reject(error))
  expect(await unlessFull(async () => 7)).toBe(7)
  expect(await failing(new AppError('storage_full', 'full'))).toBeUndefined()
  await expect(failing(new AppError('unavailable', 'gone'))).rejects.toThrow('gone')
  await expect(failing(new TypeError('a mistake'))).rejects.toThrow('a mistake')
})
