import { expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { acquireError, commitError, conflictError, statementError } from './postgres-errors.ts'
import { isUndone } from './undone.ts'

const refusal = (code: string, severity = 'ERROR') =>
  Object.assign(new Error('no'), { severity, code })
const failing = (code: string) => Object.assign(new Error('failed'), { code })

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
  const conflict = refusal('40001')
  expect(commitError(conflict)).toBe(conflict)
  expect(isAppError(commitError(refusal('53100')), 'storage_full')).toBe(true)
})

// [what happened, what is told of it]
const undone = [
  ['no connection was had', acquireError(failing('ECONNREFUSED'))],
  ['the server lets nobody in', acquireError(refusal('57P03'))],
  ['a connection was lost before the commit', statementError(failing('ECONNRESET'))],
  ['the server stopped before the commit', statementError(refusal('57P01'))],
  ['a commit was refused', commitError(refusal('53200'))],
  ['others changed the same', conflictError(refusal('40P01'))],
] as const

test.each(undone)('%s: nothing was done', (_, told) => {
  expect([isAppError(told, 'unavailable'), isUndone(told)]).toEqual([true, true])
})

// [what happened, what is told of it]
const uncertain = [
  ['a connection was lost at the commit', commitError(failing('ECONNRESET'))],
  ['the server stopped at the commit', commitError(refusal('57P01'))],
  ['the disk of its journal is full at the commit', commitError(refusal('53100', 'PANIC'))],
  ['the disk of its journal fails at the commit', commitError(refusal('58030', 'PANIC'))],
  ['the server collapses at the commit', commitError(refusal('XX000', 'PANIK'))],
] as const

test.each(uncertain)('%s: it may have been done', (_, told) => {
  expect([isAppError(told, 'unavailable'), isUndone(told)]).toEqual([true, false])
})

// Each of many who wait together would wait again.
test('a server that is silent or slow is not asked a second time', () => {
  for (const silence of [
    acquireError(new Error('timeout exceeded when trying to connect')),
    acquireError(failing('ETIMEDOUT')),
    statementError(new Error('Query read timeout')),
    statementError(refusal('57014')),
    commitError(refusal('57014')),
  ]) {
    expect([isAppError(silence, 'unavailable'), isUndone(silence)]).toEqual([true, false])
  }
})
