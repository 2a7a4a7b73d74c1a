import { expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { commitError } from './postgres-errors.ts'

// What is not `unavailable` is taken for undone: bytes are given up, and the work is done again.
test('a commit without an answer may have been done, whatever the connection says', () => {
  const broken = Object.assign(new Error('Socket is closed'), { code: 'ERR_SOCKET_CLOSED' })
  for (const error of [broken, new Error('unexpected message from the server')]) {
    const told = commitError(error)
    expect(isAppError(told, 'unavailable')).toBe(true)
    expect(told).toHaveProperty('cause', error)
  }
})

test('a commit that the server refused was not done', () => {
  const refusal = (code: string) => Object.assign(new Error('no'), { severity: 'ERROR', code })
  const conflict = refusal('40001')
  expect(commitError(conflict)).toBe(conflict)
  expect(isAppError(commitError(refusal('53100')), 'storage_full')).toBe(true)
})
