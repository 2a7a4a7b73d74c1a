import { expect, test } from 'bun:test'
import { fewAtATime } from './web/parts/few-at-a-time.ts'

test('many things are done in their order, each once, and few at a time', async () => {
  const items = Array.from({ length: 50 }, (_, i) => i)
  const begun: number[] = []
  let underWay = 0
  let most = 0
  await fewAtATime(items, 4, async (item) => {
    begun.push(item)
    most = Math.max(most, ++underWay)
    await Bun.sleep(item % 3)
    underWay--
  })
  expect(begun).toEqual(items)
  expect([most, underWay]).toEqual([4, 0])
})

test('fewer things than may be under way, and none', async () => {
  const begun: string[] = []
  await fewAtATime(['one'], 4, async (item) => void begun.push(item))
  await fewAtATime([], 4, async (item) => void begun.push(item))
  expect(begun).toEqual(['one'])
})
