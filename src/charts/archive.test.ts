import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { ARCHIVE_LIMIT, readArchive } from './archive.ts'
import { chartOf, paxOf, type TestEntry, tarOf } from './test-charts.ts'

const CHART: TestEntry = { name: 'a/Chart.yaml', content: 'name: a\nversion: 1.0.0\n' }

const all = () => true

async function pathsIn(entries: readonly TestEntry[]): Promise<string[]> {
  const { files } = await readArchive(gzipSync(tarOf(entries)), all)
  return [...files.keys()]
}

async function problemOf(bytes: Uint8Array): Promise<string> {
  return readArchive(bytes, all).then(
    () => 'none',
    (error: Error) => error.message,
  )
}

const problemIn = (...entries: TestEntry[]) => problemOf(gzipSync(tarOf([CHART, ...entries])))

test('reads Chart.yaml and the files that are wanted', async () => {
  const bytes = chartOf({ files: { 'README.md': '# hi', 'templates/a.yaml': 'kind: A' } })
  const { metadata, files } = await readArchive(bytes, (path) => path === 'README.md')
  expect(metadata).toEqual({ apiVersion: 'v2', name: 'harbour', version: '1.0.0' })
  expect([...files].map(([path, content]) => [path, Buffer.from(content).toString()])).toEqual([
    ['README.md', '# hi'],
  ])
})

test('reads folders, long names of three kinds, and files of any size up to a block', async () => {
  const long = `a/${'deep/'.repeat(40)}file`
  const sizes = [0, 1, 511, 512, 513].map((size) => ({
    name: `a/${size}`,
    content: 'x'.repeat(size),
  }))
  expect(
    await pathsIn([
      { name: 'a/', type: '5' },
      { name: 'a/old/', type: '0' },
      CHART,
      ...sizes,
      { name: 'pax', type: 'x', content: paxOf({ mtime: '1.5', path: long }) },
      { name: 'short', content: 'pax' },
      { name: '././@LongLink', type: 'L', content: `${long}2\0` },
      { name: 'short', content: 'gnu' },
      { name: 'by-prefix', content: 'posix', patch: [[345, 'a/prefix']] },
    ]),
  ).toEqual([
    'Chart.yaml',
    ...['0', '1', '511', '512', '513'],
    long.slice(2),
    `${long.slice(2)}2`,
    'prefix/by-prefix',
  ])
})

describe('refuses', () => {
  test.each([
    ['a symbolic link', { name: 'a/link', type: '2' }, 'a link'],
    ['a hard link', { name: 'a/link', type: '1' }, 'a link'],
    ['a device', { name: 'a/null', type: '3' }, 'a device'],
    ['a pipe', { name: 'a/pipe', type: '6' }, 'a pipe'],
    ['a way out', { name: 'a/../../etc/passwd' }, 'not accepted'],
    ['a way out at its end', { name: 'a/..' }, 'not accepted'],
    ['an absolute path', { name: '/etc/passwd' }, 'not accepted'],
    ['a path of Windows', { name: 'C:/a' }, 'not accepted'],
    ['a backslash', { name: 'a\\..\\b' }, 'not accepted'],
    ['a line break in a path', { name: 'a/b\nc' }, 'a/b?c'],
    ['an empty part of a path', { name: 'a//b' }, 'not accepted'],
    ['a file outside of the folder', { name: 'b/file' }, 'outside of its folder'],
    ['a file without a folder', { name: 'file' }, 'outside of a folder'],
    ['a second Chart.yaml', CHART, 'twice'],
    ['a size that is not true', { name: 'a/b', size: '77777777777\0' }, 'at most'],
    ['a size in another base', { name: 'a/b', size: '\x80\0\0\0\0\0\0\0\0\0\0\x05' }, 'too large'],
    ['a size that is no number', { name: 'a/b', size: '9999999999 \0' }, 'damaged'],
    ['a huge header', { name: 'x', type: 'x', content: 'a'.repeat(70_000) }, 'header that is too'],
    ['a huge long name', { name: 'x', type: 'L', content: 'a'.repeat(70_000) }, 'header that is'],
    ['an unreadable header', { name: 'x', type: 'x', content: '99 path=a\n' }, 'cannot be read'],
    [
      'a sparse file',
      { name: 'x', type: 'x', content: paxOf({ 'GNU.sparse.map': '0' }) },
      'sparse',
    ],
    [
      'a file that Helm refuses',
      { name: 'a/b', content: 'x'.repeat(5 * 1024 * 1024 + 1) },
      'at most',
    ],
  ] as [string, TestEntry, string][])('%s', async (_, entry, problem) => {
    expect(await problemIn(entry)).toContain(problem)
  })

  test('a name that an extended header makes hostile', async () => {
    const content = paxOf({ path: '../../etc/passwd' })
    expect(await problemIn({ name: 'x', type: 'x', content }, { name: 'a/good' })).toContain(
      'not accepted',
    )
  })

  test('more entries than any chart has', async () => {
    const folders = Array.from({ length: 10_001 }, () => ({ name: 'a/', type: '5' }))
    const bytes = gzipSync(tarOf(folders), { level: 0 })
    expect(await problemOf(bytes)).toContain('more than 10000 entries')
  })

  test('bombs, before they are unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(150 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(200_000)
    expect(await problemOf(bomb)).toContain('times its size')
    // The same behind a good chart, where a reader that stops at the end does not look.
    const behind = Buffer.concat([gzipSync(tarOf([CHART])), bomb])
    expect(await problemOf(behind)).toContain('times its size')
  })

  test('what is no archive, or not all of one', async () => {
    const good = gzipSync(
      tarOf([CHART, { name: 'a/more', content: Bun.randomUUIDv7().repeat(90) }]),
    )
    expect(await problemOf(Buffer.from('hello'))).toContain('not a gzip file')
    expect(await problemOf(Buffer.alloc(0))).toContain('not a gzip file')
    expect(await problemOf(good.subarray(0, good.length - 20))).toContain('gzip')
    expect(await problemOf(gzipSync('x'.repeat(2000)))).toContain('not a tar archive')
    expect(await problemOf(gzipSync(tarOf([CHART]).subarray(0, 600)))).toContain('ends too early')
    expect(await problemOf(Buffer.alloc(ARCHIVE_LIMIT + 1))).toContain('at most')
    expect(await problemOf(gzipSync(tarOf([])))).toContain('no Chart.yaml')
    const deep = gzipSync(tarOf([{ ...CHART, name: 'x/a/Chart.yaml' }]))
    expect(await problemOf(deep)).toContain('no Chart.yaml')
  })

  test('a checksum that does not fit', async () => {
    const tar = tarOf([CHART])
    tar[0] = 0x62
    expect(await problemOf(gzipSync(tar))).toContain('damaged')
  })
})
