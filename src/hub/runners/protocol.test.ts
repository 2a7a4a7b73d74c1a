import { expect, test } from 'bun:test'
import { Failure } from './protocol.ts'

test('what a runner says for the console is bounded, since it is kept and sent on', () => {
  const failure = (params: object) =>
    Failure.safeParse({ code: 'internal', message: 'x', says: { name: 'remote_failed', params } })
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [i, i]))
  expect(failure({ host: 'a.example', status: 502 }).success).toBe(true)
  expect(failure(many(16)).success).toBe(true)
  expect(failure(many(17)).success).toBe(false)
  expect(failure({ host: 'x'.repeat(501) }).success).toBe(false)
  expect(failure({ host: { nested: 1 } }).success).toBe(false)
})
