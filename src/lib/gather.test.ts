import { expect, test } from 'bun:test'
import { AppError } from './errors.ts'
import { gather, gatherBy } from './gather.ts'

/** Work that notes its batches and goes on when it is told. */
function slowWork(fail: (items: number[]) => unknown = () => undefined) {
  const batches: number[][] = []
  const gates: (() => void)[] = []
  return {
    batches,
    /** Lets all that is waiting go on, until nothing is. */
    async finish() {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve))
        const open = gates.splice(0)
        if (open.length === 0) return
        for (const go of open) go()
      }
    },
    async work(items: number[]) {
      batches.push(items)
      await new Promise<void>((resolve) => gates.push(resolve))
      const error = fail(items)
      if (error) throw error
      return items.map((item) => item * 10)
    },
  }
}

test('the first ones go at once, what comes meanwhile goes together, each gets its own answer', async () => {
  const { work, batches, finish } = slowWork()
  const ask = gather(work, { lanes: 2, limit: 3 })
  const asked = [1, 2, 3, 4, 5, 6, 7].map(ask)
  await finish()
  expect(await Promise.all(asked)).toEqual([10, 20, 30, 40, 50, 60, 70])
  expect(batches).toEqual([[1], [2], [3, 4, 5], [6, 7]])
  const later = ask(8)
  await finish()
  expect(await later).toBe(80)
})

test('those that must be apart are never in one batch', async () => {
  const { work, batches, finish } = slowWork()
  const ask = gather(work, { lanes: 1, limit: 9, apart: (item) => [String(item % 2)] })
  const asked = [1, 2, 3, 4, 5].map(ask)
  await finish()
  expect(await Promise.all(asked)).toEqual([10, 20, 30, 40, 50])
  expect(batches).toEqual([[1], [2, 3], [4, 5]])
})

test('when a batch fails, each is done alone, and only the wrong one fails', async () => {
  const { work, batches, finish } = slowWork((items) =>
    items.includes(3) ? new Error('three') : undefined,
  )
  const ask = gather(work, { lanes: 1, limit: 9 })
  const asked = Promise.allSettled([1, 2, 3, 4].map(ask))
  await finish()
  const said = (await asked).map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))
  expect(said).toEqual([10, 20, 'failed', 40])
  expect(batches).toEqual([[1], [2, 3, 4], [2], [3], [4]])
})

test('what may have been done is not done again', async () => {
  const { work, batches, finish } = slowWork((items) =>
    items.length > 1 ? new AppError('unavailable', 'gone') : undefined,
  )
  const ask = gather(work, { lanes: 1, limit: 9 })
  const asked = Promise.allSettled([1, 2, 3].map(ask))
  await finish()
  expect((await asked).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(batches).toEqual([[1], [2, 3]])
})

test('what is known to be undone is done again alone, once', async () => {
  const gone = new AppError('unavailable', 'gone')
  const { work, batches, finish } = slowWork((items) => (items.includes(3) ? gone : undefined))
  const ask = gather(work, { lanes: 1, limit: 9, isUndone: (failure) => failure === gone })
  const asked = Promise.allSettled([1, 2, 3].map(ask))
  await finish()
  expect((await asked).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(batches).toEqual([[1], [2, 3], [2], [3]])
})

test('only those of one key are done together', async () => {
  const { work, batches, finish } = slowWork()
  const ask = gatherBy((item: number) => String(item % 2), work, { lanes: 1, limit: 9 })
  const asked = [1, 2, 3, 4, 5].map(ask)
  await finish()
  expect(await Promise.all(asked)).toEqual([10, 20, 30, 40, 50])
  expect(batches).toEqual([[1], [2], [3, 5], [4]])
})

test('where nothing is to be gathered each goes alone, at once', async () => {
  const { work, batches, finish } = slowWork()
  const ask = gather(work, { lanes: Number.POSITIVE_INFINITY, limit: 9 })
  const asked = [1, 2, 3].map(ask)
  await finish()
  expect(await Promise.all(asked)).toEqual([10, 20, 30])
  expect(batches).toEqual([[1], [2], [3]])
})
