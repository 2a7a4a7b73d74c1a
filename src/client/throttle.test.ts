import { expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import { createThrottle } from './throttle.ts'

const CALL = { longestWait: 60_000 }

test('after a pause an upload does not wait for what it reads from the same registry', async () => {
  let now = 1
  const throttle = createThrottle({
    host: 'harbor.example.com',
    limits: { concurrency: 2, pageSize: 100 },
    clock: () => now,
    sleep: async (ms) => {
      now += ms
    },
  })
  const failing = async () => {
    throw new AppError('remote_unreachable', 'no answer', { problem: 'timeout' })
  }
  for (let i = 0; i < 10; i++) await throttle.run('ask', failing, CALL).catch(() => {})
  const upload = () => throttle.run('send', () => throttle.run('ask', read, CALL), CALL)
  const read = async () => 'bytes'
  await expect(upload()).rejects.toMatchObject({ details: { problem: 'paused' } })
  now += 30_000
  expect(await upload()).toBe('bytes')
})
