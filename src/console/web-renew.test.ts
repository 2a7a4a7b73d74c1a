import { afterEach, expect, test } from 'bun:test'
import { QueryClient, QueryObserver } from '@tanstack/react-query'
import type { Transfer } from './web/api/hub.ts'
import { createPatcher } from './web/live/patcher.ts'
import { renew } from './web/parts/renew.ts'

/* What was read before a change is never what is shown after it, whenever its answer comes. */

const PROJECT = ['/projects', 'shop'] as const
const queries = new QueryClient({ defaultOptions: { queries: { staleTime: 60_000 } } })
const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
  queries.clear()
})

/** A page that shows what is asked under a key; answers are given by hand, oldest question first. */
function show(queryKey: readonly unknown[]) {
  const asked: ((answer: string) => void)[] = []
  const queryFn = () => new Promise<string>((answer) => asked.push(answer))
  const observer = new QueryObserver(queries, { queryKey, queryFn })
  endings.push(observer.subscribe(() => {}))
  return { asked, shown: () => observer.getCurrentResult().data, queryFn }
}

/** All answers that are on their way arrive. */
const arrived = () => Bun.sleep(20)

test('a first read that began before a change does not answer for what is there after it', async () => {
  const { asked, shown } = show(PROJECT)
  const renewed = renew(queries, [PROJECT])
  expect(asked.length).toBe(2)
  asked[1]?.('after')
  await renewed
  asked[0]?.('before')
  await arrived()
  expect(shown()).toBe('after')
})

test('nor does it when its answer is the first to come', async () => {
  const { asked, shown } = show(PROJECT)
  const renewed = renew(queries, [PROJECT])
  asked[0]?.('before')
  await arrived()
  expect(shown()).toBeUndefined()
  asked[1]?.('after')
  await renewed
  expect(shown()).toBe('after')
})

test('nor does one that reads a second time', async () => {
  const { asked, shown } = show(PROJECT)
  asked[0]?.('first')
  await arrived()
  void queries.refetchQueries({ queryKey: PROJECT })
  const renewed = renew(queries, [PROJECT])
  asked[2]?.('after')
  await renewed
  asked[1]?.('before')
  await arrived()
  expect(shown()).toBe('after')
})

test('other pages read again what they show before they rely on it, but not who is signed in', async () => {
  const list = ['/projects', { limit: 50 }]
  queries.setQueryData(list, 'before')
  queries.setQueryData(['session'], 'mei')
  await renew(queries, [PROJECT])
  const { asked, shown } = show(list)
  expect(asked.length).toBe(1)
  asked[0]?.('after')
  await arrived()
  expect(shown()).toBe('after')
  expect(show(['session']).asked.length).toBe(0)
})

test('what tries something and changes nothing asks for nothing', async () => {
  const { asked } = show(PROJECT)
  asked[0]?.('first')
  await arrived()
  await renew(queries, [])
  expect(asked.length).toBe(1)
  expect(queries.getQueryState(PROJECT)?.isInvalidated).toBe(false)
})

test('the end of a transfer is not taken back by a read that began before it', async () => {
  const { asked, shown } = show(['/transfers/one', 7])
  const patcher = createPatcher(queries)
  patcher.take('transfer', { id: 7, state: 'done' } as Transfer)
  asked[0]?.('running')
  const deadline = Date.now() + 20_000
  while (asked.length < 2 && Date.now() < deadline) await arrived()
  asked[1]?.('done')
  await arrived()
  expect(shown()).toBe('done')
})
