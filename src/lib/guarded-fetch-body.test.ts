import { expect, test } from 'bun:test'
import { readBody } from './guarded-fetch-body.ts'
import { failureOf } from './test-failure.ts'

/** Small pieces without an end, each in good time. */
function dripping() {
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await Bun.sleep(5)
        controller.enqueue(new Uint8Array(1))
      },
      cancel() {
        isCancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(body), isCancelled: () => isCancelled }
}

test('a body in drips ends by its time, one without end by its size', async () => {
  const slow = dripping()
  expect(await failureOf(readBody(slow.response, 1_000_000, 50))).toMatchObject({
    code: 'remote_unreachable',
    problem: 'timeout',
  })
  expect(slow.isCancelled()).toBe(true)

  const long = dripping()
  expect(await failureOf(readBody(long.response, 3))).toMatchObject({
    code: 'remote_error',
    problem: 'too_large',
  })
  expect(long.isCancelled()).toBe(true)
})
