import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  algorithmOf,
  EMPTY_SHA256,
  hexOf,
  isDescriptorDigest,
  isDigestAlgorithm,
  parseDigest,
  toDigest,
} from './digest.ts'

const HEX = hexOf(EMPTY_SHA256)

describe('digests', () => {
  test('of the empty text are what the algorithms say', () => {
    expect(EMPTY_SHA256 as string).toBe(`sha256:${Bun.CryptoHasher.hash('sha256', '', 'hex')}`)
    expect(parseDigest(`sha512:${Bun.CryptoHasher.hash('sha512', '', 'hex')}`)).toBeDefined()
  })

  test('come apart and together again', () => {
    const digest = fc.oneof(
      fc.uint8Array().map((bytes) => `sha256:${Bun.CryptoHasher.hash('sha256', bytes, 'hex')}`),
      fc.uint8Array().map((bytes) => `sha512:${Bun.CryptoHasher.hash('sha512', bytes, 'hex')}`),
    )
    fc.assert(
      fc.property(digest, (text) => {
        const parsed = parseDigest(text)
        if (!parsed) throw new Error(`refused ${text}`)
        expect(toDigest(algorithmOf(parsed), hexOf(parsed)) as string).toBe(text)
        expect(isDescriptorDigest(text)).toBe(true)
      }),
    )
  })

  const refused = [
    ['', 'nothing'],
    [HEX, 'no algorithm'],
    [`:${HEX}`, 'an empty algorithm'],
    ['sha256:', 'no hex'],
    ['sha256', 'no colon'],
    [`sha256:${HEX.toUpperCase()}`, 'capitals'],
    [`SHA256:${HEX}`, 'capitals in the algorithm'],
    [`sha256:${HEX.slice(1)}`, 'one character less'],
    [`sha256:${HEX}0`, 'one character more'],
    [`sha512:${HEX}`, 'the length of the other algorithm'],
    [`sha256:${HEX.slice(1)}g`, 'a letter that is no hex'],
    [`sha256:${HEX.slice(1)}\n`, 'a line break'],
    [` sha256:${HEX}`, 'a space before'],
    [`sha256:${HEX.slice(2)}..`, 'dots'],
    [`sha256:../${HEX.slice(3)}`, 'a path'],
    [`sha256:${HEX.slice(1)}\0`, 'NUL'],
    [`sha256::${HEX.slice(1)}`, 'two colons'],
    [`md5:${HEX.slice(32)}`, 'an algorithm that we do not compute'],
    [`__proto__:${HEX}`, 'a name of the prototype'],
    [`constructor:${HEX}`, 'a name of the prototype'],
  ] as const
  for (const [text, why] of refused) {
    test(`are refused: ${why}`, () => expect(parseDigest(text)).toBeUndefined())
  }

  test('of any text are taken only in the exact form', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(
          fc.constantFrom('sha256', 'sha512', 'sha384'),
          fc.stringMatching(/^[0-9a-fA-F]{60,130}$/),
        )
        .map((t) => t.join(':')),
    )
    fc.assert(
      fc.property(text, (raw) => {
        const exact = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(raw)
        expect(parseDigest(raw) !== undefined).toBe(exact)
      }),
      { numRuns: 500 },
    )
  })

  test('in descriptors may be of algorithms that we do not know, but must be well-formed', () => {
    for (const text of [
      'blake3:abcDEF012',
      'sha384:00',
      'a+b.c_d-e:Zm9v=',
      'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
    ]) {
      expect(isDescriptorDigest(text)).toBe(true)
      expect(parseDigest(text)).toBeUndefined()
    }
    for (const text of [
      '',
      ':',
      'a:',
      ':a',
      'A:b',
      'a:b/c',
      'a:../b',
      'a:b\n',
      'a++b:c',
      'a b:c',
      'a:b:c',
      `a:${'b'.repeat(254)}`,
    ]) {
      expect(isDescriptorDigest(text)).toBe(false)
    }
  })

  test('in descriptors of known algorithms are as strict as anywhere', () => {
    expect(isDescriptorDigest(`sha256:${HEX.toUpperCase()}`)).toBe(false)
    expect(isDescriptorDigest('sha256:abc')).toBe(false)
    expect(isDescriptorDigest(`sha512:${HEX}`)).toBe(false)
  })

  test('know two algorithms', () => {
    expect(
      ['sha256', 'sha512', 'sha384', 'SHA256', '', 'toString'].filter(isDigestAlgorithm),
    ).toEqual(['sha256', 'sha512'])
  })
})
