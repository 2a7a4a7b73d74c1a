import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  isProjectName,
  isRepositoryPath,
  isTag,
  parseReference,
  parseRepositoryName,
} from './reference.ts'

const HEX = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
const separator = fc.constantFrom('.', '_', '__', '-', '---')
const component = fc
  .tuple(word, fc.array(fc.tuple(separator, word), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.flat().join(''))
const project = fc
  .tuple(word, fc.array(fc.tuple(fc.constantFrom('.', '_', '-'), word), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.flat().join(''))

describe('repository names', () => {
  test('of one component stand for library', () => {
    expect(parseRepositoryName('hello')).toEqual({
      project: 'library',
      path: 'hello',
      full: 'library/hello',
    })
    expect(parseRepositoryName('library/hello')?.full).toBe('library/hello')
  })

  test('have any depth', () => {
    expect(parseRepositoryName('a/b__c/d-----e/f.g')).toEqual({
      project: 'a',
      path: 'b__c/d-----e/f.g',
      full: 'a/b__c/d-----e/f.g',
    })
  })

  const refused = [
    ['', 'nothing'],
    ['/', 'only a slash'],
    ['/a', 'a slash before'],
    ['a/', 'a slash after'],
    ['a//b', 'an empty component'],
    ['A/b', 'capitals'],
    ['a/B', 'capitals in the path'],
    ['a/b.', 'a separator at the end'],
    ['a/.b', 'a separator at the start'],
    ['a/b..c', 'two dots'],
    ['a/b___c', 'three underscores'],
    ['a/b._c', 'mixed separators'],
    ['a--b/c', 'two dashes in the project'],
    ['a__b/c', 'two underscores in the project'],
    ['a/../b', 'a way up'],
    ['a/./b', 'a way to itself'],
    ['a/b c', 'a space'],
    ['a/b\n', 'a line break at the end'],
    ['a/b\0', 'NUL'],
    ['a/b%2fc', 'an escape'],
    ['a/b:c', 'a colon'],
    ['a/b@c', 'an at sign'],
    ['a/b\\c', 'a backslash'],
    ['a/é', 'a letter beyond ASCII'],
    ['a/а', 'a look-alike'],
    [`a/${'b'.repeat(254)}`, '256 characters'],
  ] as const
  for (const [name, why] of refused) {
    test(`are refused: ${why}`, () => expect(parseRepositoryName(name)).toBeUndefined())
  }

  test('have at most 255 characters, in their canonical form too', () => {
    expect(parseRepositoryName(`a/${'b'.repeat(253)}`)?.full.length).toBe(255)
    expect(parseRepositoryName('b'.repeat(247))?.full.length).toBe(255)
    expect(parseRepositoryName('b'.repeat(248))).toBeUndefined()
  })

  test('built by the grammar are taken, and are their own canonical form', () => {
    fc.assert(
      fc.property(project, fc.array(component, { minLength: 1, maxLength: 4 }), (first, rest) => {
        const raw = [first, ...rest].join('/')
        const name = parseRepositoryName(raw)
        expect(name).toEqual({ project: first, path: rest.join('/'), full: raw })
        expect(isProjectName(first)).toBe(true)
        expect(isRepositoryPath(rest.join('/'))).toBe(true)
      }),
    )
  })

  test('of any text: what is taken can be asked for again by its canonical name', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc
        .array(fc.constantFrom('a', 'b0', '/', '.', '-', '_', '__', 'A'), { maxLength: 300 })
        .map((a) => a.join('')),
    )
    fc.assert(
      fc.property(text, (raw) => {
        const name = parseRepositoryName(raw)
        if (!name) return
        expect(parseRepositoryName(name.full)).toEqual(name)
        expect(name.full).toMatch(/^[a-z0-9._/-]{3,255}$/)
        expect(name.full).not.toContain('..')
        expect(name.full).not.toContain('//')
      }),
      { numRuns: 500 },
    )
  })

  test('that would make a careless pattern search for seconds are refused at once', () => {
    expect(parseRepositoryName(`a/${'b-'.repeat(120)}!`)).toBeUndefined()
    expect(parseRepositoryName(`a/${'-'.repeat(250)}`)).toBeUndefined()
    expect(isTag(`${'a'.repeat(100_000)}!`)).toBe(false)
  })
})

describe('project names', () => {
  test('have 1 to 255 characters', () => {
    expect(isProjectName('a')).toBe(true)
    expect(isProjectName('a'.repeat(255))).toBe(true)
    expect(isProjectName('a'.repeat(256))).toBe(false)
    expect(isProjectName('')).toBe(false)
  })

  test('have no slash, no capitals and single separators', () => {
    for (const name of ['a/b', 'A', '-a', 'a-', 'a--b', 'a b', 'a\n', 'ä']) {
      expect(isProjectName(name)).toBe(false)
    }
    for (const name of ['a-b', 'a_b', 'a.b', '0', 'a-b_c.d']) expect(isProjectName(name)).toBe(true)
  })
})

describe('references', () => {
  test('are tags of up to 128 characters', () => {
    for (const tag of [
      'latest',
      '1.0',
      '_x',
      'A',
      'a'.repeat(128),
      'sha256-abc.sig',
      '-'.padStart(2, 'a'),
    ]) {
      expect(parseReference(tag)).toEqual({ kind: 'tag', tag })
    }
    for (const tag of ['', '.a', '-a', 'a'.repeat(129), 'a/b', 'a b', 'a\n', 'ä', 'a+b', '..']) {
      expect(parseReference(tag)).toBeUndefined()
    }
  })

  test('with a colon are digests or nothing', () => {
    expect(parseReference(`sha256:${HEX}`)?.kind).toBe('digest')
    for (const text of [':', 'a:b', `sha256:${HEX.slice(1)}`, `md5:${HEX.slice(32)}`, `:${HEX}`]) {
      expect(parseReference(text)).toBeUndefined()
    }
  })

  test('are never both', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 140 }), (text) => {
        const reference = parseReference(text)
        if (!reference) return
        expect(reference.kind === 'tag' ? reference.tag : (reference.digest as string)).toBe(text)
        expect(reference.kind === 'tag').toBe(isTag(text))
        expect(isTag(text)).toBe(!text.includes(':'))
      }),
    )
  })
})
