import { expect, test } from 'bun:test'
import { shareReads } from './shared-reads.ts'

/** Reads that end when they are told to. */
function heldReads() {
  const begun: { asked: string; resolve(value: string): void; reject(error: Error): void }[] = []
  const read = (asked: string) =>
    new Promise<string>((resolve, reject) => {
      begun.push({ asked, resolve, reject })
    })
  return { begun, shared: shareReads((asked: string) => asked, read) }
}

test('who comes while a read runs waits for the next one, with all others who do', async () => {
  const { begun, shared } = heldReads()
  const first = shared('a')
  const later = [shared('a'), shared('a'), shared('a')]
  expect(begun).toHaveLength(1)

  begun[0]?.resolve('before')
  expect(await first).toBe('before')
  await Bun.sleep(0)
  expect(begun).toHaveLength(2)
  const third = shared('a')
  begun[1]?.resolve('after')
  expect(await Promise.all(later)).toEqual(['after', 'after', 'after'])

  await Bun.sleep(0)
  expect(begun).toHaveLength(3)
  begun[2]?.resolve('last')
  expect(await third).toBe('last')
})

test('different keys do not wait for one another', async () => {
  const { begun, shared } = heldReads()
  const both = [shared('a'), shared('b')]
  expect(begun.map(({ asked }) => asked)).toEqual(['a', 'b'])
  for (const { asked, resolve } of begun) resolve(asked)
  expect(await Promise.all(both)).toEqual(['a', 'b'])
})

test('a failure is told to those who share it, and the next read is a new one', async () => {
  const { begun, shared } = heldReads()
  const first = shared('a')
  const second = shared('a')
  begun[0]?.reject(new Error('gone'))
  await expect(first).rejects.toThrow('gone')
  await Bun.sleep(0)
  begun[1]?.resolve('back')
  expect(await second).toBe('back')
})

test('nothing is kept: a question after the answer is asked anew', async () => {
  let reads = 0
  const shared = shareReads(
    (asked: string) => asked,
    async () => ++reads,
  )
  expect(await shared('a')).toBe(1)
  expect(await shared('a')).toBe(2)
})
