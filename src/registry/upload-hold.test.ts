import { expect, test } from 'bun:test'
import { createHold } from './upload-hold.ts'

/** Counts renewals, and waits for so many. */
function counted() {
  let renewals = 0
  return {
    get renewals() {
      return renewals
    },
    renew: async () => {
      renewals++
    },
    async until(count: number) {
      while (renewals < count) await Bun.sleep(1)
    },
  }
}

test('a claim is renewed as long as something takes', async () => {
  const claim = counted()
  const hold = createHold(claim.renew, 1)
  await hold.during(() => claim.until(3))
  await hold.end()
  expect(claim.renewals).toBeGreaterThanOrEqual(3)
})

test('while only the client is waited for, and after the end, nothing is renewed', async () => {
  const claim = counted()
  const hold = createHold(claim.renew, 1)
  await Bun.sleep(20)
  expect(claim.renewals).toBe(0)
  await hold.during(() => claim.until(1))
  await hold.end()
  const before = claim.renewals
  await Bun.sleep(20)
  expect(claim.renewals).toBe(before)
})

test('the end waits for the renewal that is under way, and a failed one fails nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let begun = false
  let ended = false
  const hold = createHold(async () => {
    begun = true
    await promise
    ended = true
    throw new Error('the database does not answer')
  }, 1)
  await hold.during(async () => {
    while (!begun) await Bun.sleep(1)
  })
  setTimeout(resolve, 10)
  await hold.end()
  expect(ended).toBe(true)
})
