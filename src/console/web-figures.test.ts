import { describe, expect, test } from 'bun:test'
import { createInstance } from 'i18next'
import { texts as en } from './web/locales/en.ts'
import { texts as zh } from './web/locales/zh.ts'
import { imageConfigOf, type Layer } from './web/pages/artifact/image-config.ts'
import { compareConfigs, compareLayers, sizeOf } from './web/pages/compare/compare-images.ts'
import { sayDetails } from './web/pages/system/audit-details.ts'
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

test('the audit names sizes, times and roles in the reader’s words, and what is new as it came', async () => {
  const i18n = createInstance()
  await i18n.init({
    lng: 'en',
    ns: ['texts'],
    defaultNS: 'texts',
    resources: { en: { texts: en }, zh: { texts: zh } },
  })
  const format = {
    bytes: (value: number) => `${value} bytes`,
    dateTime: (at: number) => `at ${at}`,
    number: (value: number) => `no. ${value}`,
  }
  const details = {
    isPublic: false,
    previousQuota: -1,
    quota: 5,
    expiresAt: 7,
    count: 9,
    role: 'guest',
    reason: 'guest',
    'a.b': null,
    email: '',
    inventedLater: 'x',
  }
  expect(sayDetails(details, i18n.t, format)).toBe(
    'public: No · quota before: no limit · quota: 5 bytes · expires: at 7 · count: no. 9 · ' +
      'role: Guest · reason: guest · inventedLater: x',
  )
  await i18n.changeLanguage('zh')
  expect(sayDetails({ quota: -1, role: 'guest', 'roles.guest': 'x' }, i18n.t, format)).toBe(
    '配额: 不限 · 角色: 访客 · roles.guest: x',
  )
})
