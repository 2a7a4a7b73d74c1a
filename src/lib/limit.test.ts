import { expect, test } from 'bun:test'
import { createLimit } from './limit.ts'

test('no more than so many run at once, in order, whatever becomes of them', async () => {
  const limit = createLimit(2)
  const order: number[] = []
  let running = 0
  let most = 0
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      limit(async () => {
        order.push(i)
        most = Math.max(most, ++running)
        await Bun.sleep(i % 3)
        running--
        if (i % 5 === 0) throw new Error('failed')
        return i
      }),
    ),
  )
  expect(most).toBe(2)
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(results.filter((result) => result.status === 'rejected').length).toBe(4)
})
