import { expect, test } from 'bun:test'
import type { Registry, Runner } from './web/api/hub.ts'
import type { Job } from './web/api/types.ts'
import { createPatcher, type ReadData } from './web/live/patcher.ts'

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

/** As the pages' own: what was read, by its key, and whether it is to be read again. */
function createRead() {
  const entries: { queryKey: readonly unknown[]; state: { data: unknown }; isStale: boolean }[] = []
  const begins = (key: readonly unknown[], first: readonly unknown[] = []) =>
    first.every((part, i) => Bun.deepEquals(key[i], part))
  const find = (key: readonly unknown[]) =>
    entries.find(({ queryKey }) => Bun.deepEquals(queryKey, key))
  const read: ReadData = {
    getQueryData: (key) => find(key)?.state.data,
    setQueryData(key, data) {
      const known = find(key)
      if (!known) entries.push({ queryKey: key, state: { data }, isStale: false })
      else Object.assign(known, { state: { data }, isStale: false })
    },
    cancelQueries: async () => {},
    async invalidateQueries({ queryKey } = {}) {
      for (const one of entries) if (begins(one.queryKey, queryKey)) one.isStale = true
    },
    getQueryCache: () => ({
      findAll: ({ queryKey }) => entries.filter((one) => begins(one.queryKey, queryKey)),
    }),
  }
  return { ...read, isStale: (key: readonly unknown[]) => find(key)?.isStale === true }
}

async function until(is: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!is()) {
    if (Date.now() > deadline) throw new Error('it did not happen')
    await Bun.sleep(20)
  }
}

test('progress is written into every list that shows it; a new state asks for the lists again', async () => {
  const queries = createRead()
  const patcher = createPatcher(queries)
  const [all, running] = [
    ['/jobs', { limit: 50 }],
    ['/jobs', { limit: 50, state: 'running' }],
  ]
  for (const key of [all, running]) {
    queries.setQueryData(key, { items: [job(2, 'running'), job(1, 'running')], next: null })
  }
  const { isStale } = queries
  patcher.take('job', job(1, 'running', { done: 3, total: 4 }))
  for (const key of [all, running]) {
    const page = queries.getQueryData(key) as { items: Job[] } | undefined
    expect(page?.items.map(({ progress }) => progress)).toEqual([null, { done: 3, total: 4 }])
  }
  await until(() => isStale(all) && isStale(running))
  // It is known now, so its progress alone makes nothing stale.
  queries.setQueryData(all, { items: [job(1, 'running')], next: null })
  patcher.take('job', job(1, 'running', { done: 4, total: 4 }))
  expect(isStale(all)).toBe(false)
  patcher.take('job', job(1, 'done'))
  await until(() => isStale(all))
})

test('what somebody changed meanwhile is not overwritten by what was told before', () => {
  const queries = createRead()
  const patcher = createPatcher(queries)
  const nameOf = (data: unknown) => (data as Registry).name
  const registry = (version: number, name: string) => ({ id: 'a', version, name }) as Registry
  queries.setQueryData(['/registries', 'a'], registry(3, 'after'))
  patcher.take('registry', registry(2, 'before'))
  expect(nameOf(queries.getQueryData(['/registries', 'a']))).toBe('after')
  patcher.take('registry', registry(4, 'later'))
  expect(nameOf(queries.getQueryData(['/registries', 'a']))).toBe('later')
})

test('a runner that goes away is shown so at once', () => {
  const queries = createRead()
  const patcher = createPatcher(queries)
  const runner = (state: Runner['state']) => ({ id: 'edge-1', state }) as Runner
  const key = ['/runners', { limit: 50 }]
  queries.setQueryData(key, { items: [runner('online')], next: null })
  patcher.take('runner', runner('away'))
  expect(queries.getQueryData(key)).toEqual({ items: [runner('away')], next: null })
})
