import { expect, test } from 'bun:test'
import { QueryClient } from '@tanstack/react-query'
import type { Registry } from './web/api/hub.ts'
import type { Job } from './web/api/types.ts'
import { createPatcher } from './web/live/patcher.ts'

/* What events write into what pages have read. */

const job = (id: number, state: Job['state'], progress: unknown = null): Job => ({
  id,
  name: 'inventory.sync',
  state,
  priority: 'normal',
  payload: {},
  progress,
  error: null,
  attempts: 1,
  maxAttempts: 5,
  cancelRequested: false,
  runAt: 1,
  createdAt: 1,
  startedAt: 1,
  finishedAt: null,
})

async function until(is: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!is()) {
    if (Date.now() > deadline) throw new Error('it did not happen')
    await Bun.sleep(20)
  }
}

test('progress is written into every list that shows it; a new state asks for the lists again', async () => {
  const queries = new QueryClient()
  const patcher = createPatcher(queries)
  const [all, running] = [
    ['/jobs', { limit: 50 }],
    ['/jobs', { limit: 50, state: 'running' }],
  ]
  for (const key of [all, running]) {
    queries.setQueryData(key, { items: [job(2, 'running'), job(1, 'running')], next: null })
  }
  const isStale = (key: unknown[]) => queries.getQueryState(key)?.isInvalidated === true
  patcher.take('job', job(1, 'running', { done: 3, total: 4 }))
  for (const key of [all, running]) {
    const page = queries.getQueryData<{ items: Job[] }>(key)
    expect(page?.items.map(({ progress }) => progress)).toEqual([null, { done: 3, total: 4 }])
  }
  await until(() => isStale(all) && isStale(running))
  // It is known now, so its progress alone makes nothing stale.
  queries.setQueryData(all, { items: [job(1, 'running')], next: null })
  patcher.take('job', job(1, 'running', { done: 4, total: 4 }))
  expect(isStale(all)).toBe(false)
  patcher.take('job', job(1, 'done'))
  await until(() => isStale(all))
  queries.clear()
})

test('what somebody changed meanwhile is not overwritten by what was told before', () => {
  const queries = new QueryClient()
  const patcher = createPatcher(queries)
  const registry = (version: number, name: string) => ({ id: 'a', version, name }) as Registry
  queries.setQueryData(['/registries', 'a'], registry(3, 'after'))
  patcher.take('registry', registry(2, 'before'))
  expect(queries.getQueryData<Registry>(['/registries', 'a'])?.name).toBe('after')
  patcher.take('registry', registry(4, 'later'))
  expect(queries.getQueryData<Registry>(['/registries', 'a'])?.name).toBe('later')
  queries.clear()
})
