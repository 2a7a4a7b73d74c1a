import { expect, test } from 'bun:test'
import { createFairLimit } from './fair-limit.ts'

test('one of each at once, so many together, and in turn', async () => {
  const turn = createFairLimit<string>(2)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const ask = (key: string, name: string) =>
    turn(key, () => {
      begun.push(name)
      return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
    })
  const asked = [ask('ann', 'a1'), ask('ann', 'a2'), ask('ann', 'a3')]
  await Bun.sleep(0)
  // The other place stays free for somebody else.
  expect(begun).toEqual(['a1'])
  asked.push(ask('bob', 'b1'), ask('eve', 'e1'), ask('bob', 'b2'))
  await Bun.sleep(0)
  expect(begun).toEqual(['a1', 'b1'])
  const end = async (name: string) => {
    ends.get(name)?.()
    await Bun.sleep(0)
  }
  await end('a1')
  expect(begun).toEqual(['a1', 'b1', 'a2'])
  await end('b1')
  expect(begun).toEqual(['a1', 'b1', 'a2', 'e1'])
  await end('e1')
  await end('a2')
  expect(begun.slice(4)).toEqual(['b2', 'a3'])
  await end('b2')
  await end('a3')
  expect(await Promise.all(asked)).toEqual(['a1', 'a2', 'a3', 'b1', 'e1', 'b2'])
})

test('what fails makes place for the next', async () => {
  const turn = createFairLimit<number>(1)
  const results = await Promise.allSettled(
    [1, 1, 2].map((key, i) =>
      turn(key, async () => {
        if (i < 2) throw new Error('failed')
        return i
      }),
    ),
  )
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
})
