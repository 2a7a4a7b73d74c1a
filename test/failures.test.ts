import { expect, test } from 'bun:test'
import { failuresIn, passesIn, ranToTheEnd } from './failures.ts'

const OUTPUT = `
src/a.test.ts:
(pass) adds [0.10ms]
1 | expect(1).toBe(2)
error: expect(received).toBe(expected)
(fail) numbers > are equal [3.20ms]
(skip) sometimes

src/b.test.ts:

# Unhandled error between tests
-------------------------------
error: cannot load
-------------------------------

2 tests failed:
(fail) numbers > are equal [3.20ms]

 1 pass
 1 fail
 1 error
`

test('names each failure once, with its file and what was said of it', () => {
  expect(failuresIn(OUTPUT)).toEqual([
    {
      file: 'src/a.test.ts',
      name: 'numbers > are equal',
      text: '1 | expect(1).toBe(2)\nerror: expect(received).toBe(expected)',
    },
    { file: 'src/b.test.ts', name: 'an error between tests', text: '' },
  ])
})

test('finds none where all passed', () => {
  expect(failuresIn('\nsrc/a.test.ts:\n(pass) adds [0.10ms]\n\n 1 pass\n 0 fail\n')).toEqual([])
})

test('tells a run that was broken off from one with failures', () => {
  expect(ranToTheEnd(`${OUTPUT}Ran 3 tests across 2 files. [16.00ms]\n`)).toBe(true)
  expect(ranToTheEnd('\nsrc/a.test.ts:\n(fail) adds [0.10ms]\n\nsrc/b.test.ts:\n')).toBe(false)
})

test('names what passed, without the time it took', () => {
  expect([...passesIn(OUTPUT)]).toEqual(['adds'])
})
