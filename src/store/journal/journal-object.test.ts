import { expect, test } from 'bun:test'
import { decodeObject, encodeObject, nameOfObject, parseObjectName } from './journal-object.ts'

const OBJECT = {
  header: {
    lineage: '00112233445566ff',
    sequence: 12,
    kind: 'end' as const,
    previous: 9,
    start: 3,
    installation: '1234',
    at: 1_700_000_000_000,
  },
  records: ['{"a":1}', JSON.stringify({ text: 'ä\n漢字' })],
}
const NAME = '00112233445566ff/0000000000000012.end'

test('an object is read as it was written', () => {
  expect(nameOfObject(OBJECT.header)).toBe(NAME)
  expect(parseObjectName(NAME)).toEqual({ lineage: '00112233445566ff', sequence: 12, kind: 'end' })
  expect(decodeObject(NAME, encodeObject(OBJECT))).toEqual(OBJECT)
  const empty = { ...OBJECT, records: [] }
  expect(decodeObject(NAME, encodeObject(empty))).toEqual(empty)
})

test('a person can read it with the usual tools', () => {
  const [first = '', second = ''] = Buffer.from(encodeObject(OBJECT)).toString('latin1').split('\n')
  expect(first).toMatch(/^entrepot-journal 1 [0-9a-f]{64}$/)
  expect(JSON.parse(second)).toMatchObject({ sequence: 12, records: 2 })
  const unpacked = Bun.spawnSync(['sh', '-c', 'tail -n +3 | gunzip'], {
    stdin: encodeObject(OBJECT),
  })
  expect(unpacked.stdout.toString()).toBe(`${OBJECT.records.join('\n')}\n`)
})

test('every changed, missing or further byte is noticed', () => {
  const whole = encodeObject(OBJECT)
  for (let i = 0; i < whole.length; i++) {
    const changed = new Uint8Array(whole)
    changed[i] = (changed[i] ?? 0) ^ 0x21
    expect(() => decodeObject(NAME, changed)).toThrow()
    expect(() => decodeObject(NAME, whole.slice(0, i))).toThrow()
  }
  expect(() => decodeObject(NAME, Buffer.concat([whole, Buffer.from('x')]))).toThrow('damaged')
})

test('refuses another name, and a format that it does not know', () => {
  const other = NAME.replace('12.end', '13.end')
  expect(() => decodeObject(other, encodeObject(OBJECT))).toThrow('calls itself')
  const text = Buffer.from(encodeObject(OBJECT)).toString('latin1')
  const newer = Buffer.from(text.replace('entrepot-journal 1', 'entrepot-journal 2'), 'latin1')
  expect(() => decodeObject(NAME, newer)).toThrow('has the format 2')
})

test('what has the right checksum and still cannot be read is refused', () => {
  const large = encodeObject({ ...OBJECT, records: [`"${'0'.repeat(200_000)}"`] })
  expect(decodeObject(NAME, large, 300_000).records).toHaveLength(1)
  expect(() => decodeObject(NAME, large, 100_000)).toThrow('cannot be unpacked')
  const body = Buffer.from(large.slice(large.indexOf(10) + 1))
  const remade = (changed: Buffer) => {
    const hash = Bun.CryptoHasher.hash('sha256', changed, 'hex')
    return Buffer.concat([Buffer.from(`entrepot-journal 1 ${hash}\n`), changed])
  }
  expect(decodeObject(NAME, remade(body)).records).toHaveLength(1)
  const gone = Buffer.from(body)
  gone.fill(0, body.indexOf(10) + 1)
  expect(() => decodeObject(NAME, remade(gone))).toThrow('cannot be unpacked')
  const late = Buffer.from(
    body.toString('latin1').replace('"at":17', '"at":1e300,"x":17'),
    'latin1',
  )
  expect(() => decodeObject(NAME, remade(late))).toThrow('header')
})

test('names of others are none', () => {
  for (const name of ['', 'x', NAME.toUpperCase(), `${NAME}.new`, NAME.replace('end', 'begin')]) {
    expect([name, parseObjectName(name)]).toEqual([name, undefined])
  }
})
