import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeMachineFailure } from './machine-failure.ts'

const failureOfReading = (path: string): unknown => {
  try {
    return readFileSync(path)
  } catch (error) {
    return error
  }
}

test('a failure of the machine is a sentence with the path', () => {
  const path = join(tmpdir(), 'there-is-nothing-here')
  const missing = failureOfReading(path)
  expect(describeMachineFailure(missing)).toBe(`${path}: there is no such file or folder (ENOENT)`)
  expect(describeMachineFailure(failureOfReading(tmpdir()))).toContain('this is a folder (EISDIR)')
})

test('longer codes of SQLite are told like the shorter ones', () => {
  const error = Object.assign(new Error('x'), { code: 'SQLITE_READONLY_DIRECTORY' })
  expect(describeMachineFailure(error)).toBe(
    'this user may not write to it or to its folder (SQLITE_READONLY_DIRECTORY)',
  )
})

test('what the program did wrong is none', () => {
  expect(describeMachineFailure(new TypeError('x is not a function'))).toBeUndefined()
  expect(describeMachineFailure('text')).toBeUndefined()
})
