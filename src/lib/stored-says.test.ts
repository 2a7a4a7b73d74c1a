import { expect, test } from 'bun:test'
import { because } from './reasons.ts'
import { saysOf, saysOfAll, storedSays, storedSaysOfAll } from './stored-says.ts'

const says = because('tag_immutable', { name: '1.0' }).reason
const other = because('transfer_over', {}).reason

test('what a sentence says is read beside that sentence alone', () => {
  const stored = storedSays('the tag is immutable', says)
  expect(saysOf('the tag is immutable', stored)).toEqual(says)
  expect(saysOf('an older program wrote this', stored)).toBeUndefined()
  expect(saysOf(null, stored)).toBeUndefined()
  expect(saysOf('a', null)).toBeUndefined()
  // By a version that did not note which sentence it was of.
  expect(saysOf('the tag is immutable', JSON.stringify(says))).toBeUndefined()
  expect(storedSays(null, says)).toBeNull()
  expect(storedSays('a', undefined)).toBeNull()
})

test('of several, up to the first that is another one', () => {
  const stored = storedSaysOfAll(['a', 'b', 'c'], [says, other])
  expect(saysOfAll(['a', 'b', 'c'], stored)).toEqual([says, other])
  expect(saysOfAll(['a', 'x', 'b'], stored)).toEqual([says])
  expect(saysOfAll(['x'], stored)).toEqual([])
  expect(saysOfAll([], stored)).toEqual([])
  expect(saysOfAll(['a'], '[]')).toEqual([])
})
