import { expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { retryDelay } from './job.ts'
import { queueContract } from './queue.contract.ts'
import { schedulerContract } from './scheduler.contract.ts'
import { workerContract } from './worker.contract.ts'

onEachEngine('job queue', queueContract)
onEachEngine('job worker', workerContract)
onEachEngine('scheduler', schedulerContract)

test('pauses grow, have a limit, and keep to what was asked for', () => {
  const policy = { firstDelayMs: 100, maxDelayMs: 1000 }
  for (const [attempt, longest] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [9, 1000],
  ] as const) {
    const delay = retryDelay(policy, attempt, new Error())
    expect(delay).toBeGreaterThanOrEqual(longest / 2)
    expect(delay).toBeLessThanOrEqual(longest)
  }
  const limited = new AppError('rate_limited', 'too much', { retryAfter: 30 })
  expect(retryDelay(policy, 1, limited)).toBe(30_000)
})
