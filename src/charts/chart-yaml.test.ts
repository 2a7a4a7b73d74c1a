import { describe, expect, test } from 'bun:test'
import { parseChartYaml, parseValues } from './chart-yaml.ts'

const parse = (...lines: string[]) =>
  parseChartYaml(Buffer.from(['name: a', 'version: 1.0.0', ...lines].join('\n')))

const problemOf = (text: string): string => {
  try {
    parseChartYaml(Buffer.from(text))
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  return 'none'
}

test('keeps what Helm knows, and nothing else', () => {
  expect(
    parse(
      'description: "a\\tb\\u0007c"',
      'type: library',
      'engine: gotpl',
      'madeUp: {deep: 1}',
      'home: ""',
      'icon: null',
      'deprecated: yes',
      'keywords: [a, null, 1.10]',
      'maintainers: [{name: x, email: x@y, phone: 1}]',
      'dependencies:',
      '- {name: d, version: ">=1", enabled: false, tags: [t], import-values: [{child: a}], x: y}',
      'annotations: {a/b: 2026-01-01, n: 010, t: true, lines: "a\\nb", none: null}',
    ),
  ).toEqual({
    apiVersion: 'v1',
    name: 'a',
    version: '1.0.0',
    description: 'a bc',
    type: 'library',
    deprecated: true,
    keywords: ['a', '1.10'],
    maintainers: [{ name: 'x', email: 'x@y' }],
    dependencies: [{ name: 'd', version: '>=1', tags: ['t'], 'import-values': [{ child: 'a' }] }],
    annotations: { 'a/b': '2026-01-01', n: '010', t: 'true', lines: 'a\nb', none: '' },
  })
})

test('numbers that are meant as text stay as they were written', () => {
  expect(parse('appVersion: 1.10', 'kubeVersion: 1_0')).toMatchObject({
    appVersion: '1.10',
    kubeVersion: '1_0',
  })
})

describe('refuses', () => {
  test.each([
    ['no map', '[a]', 'no map'],
    ['no YAML', 'a: [', 'no YAML'],
    ['a field that stands twice', 'name: a\nname: b\nversion: 1.0.0', 'no YAML'],
    ['no name', 'version: 1.0.0', 'without a name'],
    ['no version', 'name: a', 'without a version'],
    ['another type', 'name: a\nversion: 1.0.0\ntype: x', 'type'],
    ['a list in place of a text', 'name: [a]\nversion: 1.0.0', '"name" is not a text'],
    [
      'a text in place of a list',
      'name: a\nversion: 1.0.0\nkeywords: k',
      '"keywords" is not a list',
    ],
    ['lists in lists', 'name: a\nversion: 1.0.0\nmaintainers: [[]]', 'list of maps'],
    ['a number in place of a flag', 'name: a\nversion: 1.0.0\ndeprecated: 3', 'true or false'],
    ['deep annotations', 'name: a\nversion: 1.0.0\nannotations: {a: {b: c}}', 'map of texts'],
    [
      'names that break an index',
      `name: a\nversion: 1.0.0\nannotations: {${'k'.repeat(300)}: v}`,
      'at most 256',
    ],
    [
      'a bomb of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map((name, i) => `${name}: &${name} [${`*${'abcdefg'[i]},`.repeat(9)}]`)
        .join('\n')}\nname: a\nversion: 1.0.0`,
      'too large or too deep',
    ],
    ['depth', `name: ${'['.repeat(60)}${']'.repeat(60)}`, 'too large or too deep'],
  ])('%s', (_, text, problem) => {
    expect(problemOf(text)).toContain(problem)
  })
})

test('refuses bytes that are no text', () => {
  expect(() => parseChartYaml(Buffer.from('6e616d653a20ff', 'hex'))).toThrow('cannot be read')
})

test('values keep their types, and maps that are merged', () => {
  const text = 'base: &b {a: 1, c: yes}\nown: {<<: *b, a: 2}\nlist: [1.5, "x", null]\n'
  expect(parseValues(Buffer.from(text))).toEqual({
    base: { a: 1, c: true },
    own: { a: 2, c: true },
    list: [1.5, 'x', null],
  })
})
