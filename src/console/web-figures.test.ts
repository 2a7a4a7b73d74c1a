import { describe, expect, test } from 'bun:test'
import { imageConfigOf, type Layer } from './web/pages/artifact/image-config.ts'
import { compareConfigs, compareLayers, sizeOf } from './web/pages/compare/compare-images.ts'
import { marksUpTo } from './web/parts/chart-scale.ts'
import { csvCell } from './web/parts/csv-cell.ts'

/* What pages compute by themselves: comparisons of images, and the marks of charts. */

describe('two images', () => {
  const layers = (digests: string): Layer[] =>
    [...digests].map((digest) => ({
      digest,
      mediaType: '',
      size: digest.charCodeAt(0),
      command: undefined,
      title: undefined,
    }))
  const told = (left: string, right: string) => {
    const { common, removed, added } = compareLayers(layers(left), layers(right))
    const names = (some: Layer[]) => some.map(({ digest }) => digest).join('')
    return [names(common), names(removed), names(added)]
  }

  test('have layers in common, lost some and gained others', () => {
    expect(told('abc', 'abd')).toEqual(['ab', 'c', 'd'])
    expect(told('', 'ab')).toEqual(['', '', 'ab'])
    expect(told('ab', '')).toEqual(['', 'ab', ''])
    // The same layer twice, as empty layers are.
    expect(told('aab', 'ab')).toEqual(['ab', 'a', ''])
    expect(told('ab', 'aba')).toEqual(['ab', '', 'a'])
    // Moved is not changed.
    expect(told('ab', 'ba')).toEqual(['ba', '', ''])
    expect(sizeOf(layers('ab'))).toBe(97 + 98)
  })

  test('every layer is told once, whatever they are', () => {
    const words = ['', 'a', 'ab', 'ba', 'aab', 'abab', 'bbbb', 'abcde', 'edcba', 'aaaa']
    for (const left of words) {
      for (const right of words) {
        const [common = '', removed = '', added = ''] = told(left, right)
        const sorted = (text: string) => [...text].sort().join('')
        expect(sorted(common + removed)).toBe(sorted(left))
        expect(sorted(common + added)).toBe(sorted(right))
      }
    }
  })

  test('differ in what their configs say', () => {
    const config = (inner: object, more: object = {}) =>
      imageConfigOf(JSON.stringify({ os: 'linux', ...more, config: inner }))
    const differences = compareConfigs(
      config({ Env: ['A=1', 'B=2', 'URL=x=y'], Entrypoint: ['/a'], Labels: { team: 'one' } }),
      config({ Env: ['B=3', 'A=1', 'C='], Cmd: ['serve'], Labels: { team: 'one', new: '' } }),
    )
    expect(differences).toEqual([
      { kind: 'fact', name: 'entrypoint', left: '/a', right: undefined },
      { kind: 'fact', name: 'command', left: undefined, right: 'serve' },
      { kind: 'environment', name: 'B', left: '2', right: '3' },
      { kind: 'environment', name: 'URL', left: 'x=y', right: undefined },
      { kind: 'environment', name: 'C', left: undefined, right: '' },
      { kind: 'label', name: 'new', left: undefined, right: '' },
    ])
    expect(compareConfigs(imageConfigOf('nonsense'), imageConfigOf(null))).toEqual([])
  })
})

test('the marks of a chart are few, round and reach the highest value', () => {
  const Mi = 1024 ** 2
  expect(marksUpTo(100 * Mi, 'bytes')).toEqual([0, 50 * Mi, 100 * Mi])
  expect(marksUpTo(7, 'count')).toEqual([0, 2, 4, 6, 8])
  for (const unit of ['bytes', 'count'] as const) {
    for (let most = 1; most < 1e15; most = most * 3 + 1) {
      const marks = marksUpTo(most, unit)
      expect([most, marks.length <= 6, (marks.at(-1) ?? 0) >= most]).toEqual([most, true, true])
      expect(marks.every(Number.isInteger)).toBe(true)
    }
  }
})

test('a cell of a table is no formula', () => {
  expect(['a"b', '=1+1', '-x'].map(csvCell)).toEqual(['"a""b"', `"'=1+1"`, `"'-x"`])
})
