import { expect, test } from 'bun:test'
import { parse } from 'yaml'
import { toDigest } from '../oci/digest.ts'
import { parseEntry, renderEntry, renderIndex, renderJson } from './entry.ts'

const archiveDigest = toDigest('sha256', 'a'.repeat(64))

function entryOf(version: string, more: Record<string, string> = {}) {
  const metadata = { apiVersion: 'v2', name: 'a', version, ...more }
  const fileName = `a-${version}.tgz`
  return renderEntry({ metadata, fileName, archiveDigest, createdAt: 1_000 })
}

const header = { generatedAt: Date.parse('2026-03-01T12:00:00Z'), contextPath: '/charts' }

test('is what ChartMuseum and Helm show of a version', () => {
  expect(parseEntry(entryOf('1.0.0'))).toEqual({
    apiVersion: 'v2',
    name: 'a',
    version: '1.0.0',
    urls: ['charts/a-1.0.0.tgz'],
    created: '1970-01-01T00:00:01.000Z',
    digest: 'a'.repeat(64),
  })
})

test('an index is YAML of exactly these values, whatever texts are in it', () => {
  const texts = [
    'yes',
    '1.10',
    'a: b # c',
    '"\'\\',
    '\u0085\u2028\ufeff\u007f\n\t',
    '😀',
    '*a',
    '{}',
  ]
  const rows = texts.map((description) => ({ name: 'a', entry: entryOf('1.0.0', { description }) }))
  const text = renderIndex(rows, header)
  // What YAML 1.1 does not count as printable, such as a byte order mark, is not there raw.
  expect(text.replace(/[\x20-\x7e\n\u{1f600}]/gu, '')).toBe('')
  for (const version of ['1.1', '1.2'] as const) {
    const index = parse(text, { version })
    expect(index.entries.a.map((entry: { description: string }) => entry.description)).toEqual(
      texts,
    )
    expect({ ...index, entries: undefined }).toEqual({
      apiVersion: 'v1',
      generated: '2026-03-01T12:00:00.000Z',
      serverInfo: { contextPath: '/charts' },
      entries: undefined,
    })
  }
})

test('an empty index has entries too, and one without a context path no such field', () => {
  expect(parse(renderIndex([], { ...header, contextPath: undefined }))).toEqual({
    apiVersion: 'v1',
    generated: '2026-03-01T12:00:00.000Z',
    serverInfo: {},
    entries: {},
  })
})

test('the list of ChartMuseum has the same entries by name', () => {
  const rows = ['2.0.0', '1.0.0'].map((version) => ({ name: 'a', entry: entryOf(version) }))
  const listed = JSON.parse(renderJson([...rows, { name: 'b', entry: entryOf('1.0.0') }]))
  expect(Object.keys(listed)).toEqual(['a', 'b'])
  expect(listed.a.map((entry: { version: string }) => entry.version)).toEqual(['2.0.0', '1.0.0'])
  expect(renderJson([])).toBe('{}')
})
