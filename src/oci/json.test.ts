import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseStrictJson } from './json.ts'

const parse = (text: string) => parseStrictJson(new TextEncoder().encode(text))

describe('strict JSON', () => {
  test('of any value comes back as it went in, however it is spaced', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent)
        expect(parse(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('takes what JSON.parse takes when no name stands twice', () => {
    const text = fc.array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        'a',
        '"a"',
        '"b"',
        '1',
        ' ',
        '\n',
        'null',
      ),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(text, (parts) => {
        const joined = parts.join('')
        let ours: unknown
        let theirs: unknown
        try {
          theirs = JSON.parse(joined)
        } catch (error) {
          theirs = error
        }
        try {
          ours = parse(joined)
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
          if (String(error).includes('stands twice')) return
          ours = error
        }
        expect(ours instanceof SyntaxError).toBe(theirs instanceof SyntaxError)
        if (!(ours instanceof SyntaxError)) expect(ours).toEqual(theirs)
      }),
      { numRuns: 5000 },
    )
  })

  test('throws nothing but a SyntaxError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseStrictJson(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  const twice = [
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"a":2}',
    '{"\\/":1,"/":2}',
    '{"\\ud83d\\ude00":1,"😀":2}',
    '{"b":{"a":1,"a":1}}',
    '{"b":[{"x":[],"a":1,"a":1}]}',
    '{"a":{"a":1},"a":1}',
    '{"a":[1,2],"a":1}',
    '{"a":"{","a":1}',
    '{"a":"\\"","a":1}',
    '{"":1,"":2}',
    '{ "a" : 1 , "a" : 2 }',
    '{"__proto__":1,"__proto__":2}',
    '{"constructor":1,"constructor":2}',
  ]
  for (const text of twice) {
    test(`refuses a name that stands twice: ${text}`, () => {
      expect(() => parse(text)).toThrow(/stands twice/)
    })
  }

  const distinct = [
    '{"a":1,"A":2}',
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a"}',
    '{"a":["a","a"],"b":{"a":1}}',
    '{"a":1,"a ":2}',
    '{"a\\\\":1,"a":2}',
    '{"\\u00e9":1,"e\\u0301":2}',
    '{"__proto__":1,"constructor":2,"toString":3}',
  ]
  for (const text of distinct) {
    test(`takes names that differ: ${text}`, () => {
      expect(JSON.stringify(parse(text))).toBe(JSON.stringify(JSON.parse(text)))
    })
  }

  test('gives a name of the prototype to nobody else', () => {
    const value = parse('{"__proto__":{"manifests":[]}}') as object
    expect('manifests' in value).toBe(false)
    expect(({} as { manifests?: unknown }).manifests).toBeUndefined()
  })

  test('refuses bytes before and after the value', () => {
    for (const text of [
      '{}x',
      '{}{}',
      '{} ,',
      '{}\0',
      '\0{}',
      '[]]',
      '{}}',
      '1 2',
      '"a""b"',
      'x{}',
    ]) {
      expect(() => parse(text)).toThrow(SyntaxError)
    }
    expect(parse(' \t\r\n{} \n')).toEqual({})
  })

  test('refuses a byte order mark', () => {
    expect(() => parse('\ufeff{}')).toThrow(/byte order mark/)
    expect(() => parseStrictJson(new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]))).toThrow(
      /UTF-8/,
    )
  })

  test('refuses what is not UTF-8', () => {
    const bad = [
      [0x80],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
    ]
    for (const bytes of bad) {
      expect(() => parseStrictJson(new Uint8Array([0x22, ...bytes, 0x22]))).toThrow(/UTF-8/)
    }
  })

  test('refuses what JavaScript would take and JSON does not', () => {
    for (const text of [
      "{'a':1}",
      '{a:1}',
      '[1,]',
      '{"a":1,}',
      '01',
      '+1',
      '.5',
      'NaN',
      'Infinity',
      '// x\n1',
      '"\t"',
      "'a'",
      '',
      ' ',
    ]) {
      expect(() => parse(text)).toThrow(SyntaxError)
    }
  })

  test('is nested at most 64 levels deep', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(parse(nested(64))).toBeDefined()
    expect(() => parse(nested(65))).toThrow(/64 levels/)
    expect(() => parse(nested(10_000))).toThrow(/64 levels/)
    expect(() => parse(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)).toThrow(/64 levels/)
    expect(() => parse('['.repeat(4 * 1024 * 1024))).toThrow(/64 levels/)
  })

  test('does not take brackets in strings for nesting', () => {
    expect(parse(`["${'['.repeat(1000)}","${'\\"{'.repeat(1000)}"]`)).toBeDefined()
  })

  test('reads 4 MiB of whatever is hard to read', () => {
    const size = 4 * 1024 * 1024
    const hard = [
      `"${'\\\\'.repeat(size / 2 - 2)}"`,
      `"${'\\"'.repeat(size / 2 - 2)}"`,
      `[${'"",'.repeat(size / 3 - 1)}""]`,
      `{${Array.from({ length: 300_000 }, (_, i) => `"${i}":0`).join()}}`,
      `{${Array.from({ length: 150_000 }, (_, i) => `"\\u0061${i}":0`).join()}}`,
      `[${'{},'.repeat(size / 3 - 2)}{}]`,
    ]
    for (const text of hard) expect(parse(text)).toBeDefined()
    for (const text of [
      '"'.repeat(size),
      `"${'\\'.repeat(size)}`,
      `{${'"a'.repeat(size / 2)}`,
      ','.repeat(size),
    ]) {
      expect(() => parse(text)).toThrow(SyntaxError)
    }
  })
})
