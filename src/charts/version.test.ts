import { expect, test } from 'bun:test'
import { parseVersion, tagOf } from './version.ts'

test('keys sort by bytes as semver sorts versions', () => {
  // The example of semver 2.0.0, item 11, and what numbers and their absence do.
  const sorted = [
    '0.9.10',
    '1.0.0-0',
    '1.0.0-2',
    '1.0.0-10',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-alpha-1',
    '1.0.0-alpha0',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    'v1.0.1',
    '1.2',
    '1.10.0',
    '2',
    '10.0.0-rc',
    '10.0.0',
    '99999999999999999999.0.0',
  ]
  const keys = sorted.map((text) => parseVersion(text)?.key ?? '')
  expect(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))).toEqual(keys)
  expect(new Set(keys).size).toBe(keys.length)
})

test('build metadata does not come before the version', () => {
  const [plain, build, next] = ['1.0.0', '1.0.0+9', '1.0.1'].map((text) => parseVersion(text)?.key)
  expect([next, build, plain].toSorted()).toEqual([plain, build, next])
})

test.each([
  '',
  'latest',
  '1.0.0.0',
  '1.0.0-',
  '1.0.0+a+b',
  '1.0 ',
  'x1',
  `1.0.0-${'a'.repeat(130)}`,
])('"%s" is no version', (text) => {
  expect(parseVersion(text)).toBeUndefined()
})

test('a plus sign becomes an underscore in a tag', () => {
  expect(tagOf('1.2.4+build.7')).toBe('1.2.4_build.7')
})
