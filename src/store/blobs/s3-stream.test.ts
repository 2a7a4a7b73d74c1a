import { expect, test } from 'bun:test'
import { failureOf } from '../../lib/test-failure.ts'
import { readLater } from './s3-stream.ts'

const PIECE = 1_000
const COUNT = 5

/** A bucket with one object, that tells whether its answer was left. */
function setUp() {
  let left = false
  const get = async () => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < COUNT) controller.enqueue(new Uint8Array(PIECE))
        else controller.close()
      },
      cancel() {
        left = true
      },
    })
    return { size: COUNT * PIECE, body }
  }
  const underWay = new Set<object>()
  const read = (leftMs?: number) =>
    readLater(
      { get },
      'blobs/a',
      { start: 0, end: COUNT * PIECE - 1 },
      leftMs === undefined ? { underWay } : { underWay, leftMs },
    ).getReader()
  return { read, underWay, isLeft: () => left }
}

test('what is passed on is under way from its first read to its last', async () => {
  const { read, underWay } = setUp()
  const reader = read()
  expect(underWay.size).toBe(0)
  let length = 0
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    expect(underWay.size).toBe(1)
    length += part.value.length
  }
  expect([length, underWay.size]).toEqual([COUNT * PIECE, 0])
})

test('it ends when its reader goes', async () => {
  const { read, underWay, isLeft } = setUp()
  const reader = read()
  await reader.read()
  await reader.cancel()
  expect([underWay.size, isLeft()]).toEqual([0, true])
})

test('it ends when its reader takes nothing any more, but says nothing', async () => {
  const { read, underWay, isLeft } = setUp()
  const reader = read(10)
  await reader.read()
  while (underWay.size > 0) await Bun.sleep(5)
  expect(isLeft()).toBe(true)
  expect((await failureOf(reader.read())).code).toBe('unavailable')
})
