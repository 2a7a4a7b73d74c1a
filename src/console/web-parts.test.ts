import { describe, expect, test } from 'bun:test'
import { texts as en } from './web/locales/en.ts'
import { texts as zh } from './web/locales/zh.ts'
import { imageConfigOf, layersOf } from './web/pages/artifact/image-config.ts'
import { commandsFor } from './web/pages/artifact/pull-command-lines.ts'
import { csvOf } from './web/pages/system/audit-csv.ts'
import { parseMarkdown } from './web/parts/markdown-parser.ts'

/* Parts of the browser's code that are plain functions. */

describe('texts', () => {
  const flat = (table: object, prefix = ''): [string, string][] =>
    Object.entries(table).flatMap(([key, value]) =>
      typeof value === 'string' ? [[prefix + key, value]] : flat(value, `${prefix}${key}.`),
    )
  const placeholders = (text: string) => (text.match(/\{\{\w+\}\}/g) ?? []).sort()

  test('both languages say the same things', () => {
    const chinese = new Map(flat(zh))
    const english = flat(en)
    expect([...chinese.keys()].sort()).toEqual(english.map(([key]) => key).sort())
    for (const [key, text] of english) {
      const other = chinese.get(key) ?? ''
      // The noun of one thing needs no number in English: "its tag".
      if (!key.endsWith('_one'))
        expect([key, ...placeholders(other)]).toEqual([key, ...placeholders(text)])
      expect([key, other.trim()]).not.toEqual([key, ''])
    }
  })
})

describe('Markdown', () => {
  const text = (value: unknown): string => JSON.stringify(value)

  test('is read as far as READMEs need it', () => {
    const blocks = parseMarkdown(
      '# Title\n\nA *b* **c** `d` [e](https://e.example)\n\n- one\n- two\n  - deep\n\n1. first\n\n```\ncode\n```\n> said\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n',
    )
    expect(blocks.map(({ kind }) => kind)).toEqual([
      ...(['heading', 'paragraph', 'list', 'list', 'code', 'quote', 'table', 'rule'] as const),
    ])
    const [, paragraph, list] = blocks
    expect(text(paragraph)).toContain('"href":"https://e.example"')
    expect(text(list)).toContain('deep')
  })

  test('links lead to the web only', () => {
    for (const href of ['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', '//e.example']) {
      expect(text(parseMarkdown(`[x](${href}) ![y](${href})`))).not.toContain('"link"')
    }
  })

  test('HTML stays text', () => {
    const html = '<img src=x onerror=alert(1)><script>alert(1)</script>'
    expect(parseMarkdown(html)).toEqual([
      { kind: 'paragraph', spans: [{ kind: 'text', text: html }] },
    ])
  })

  test('no text takes long', () => {
    const hostile = [
      '*'.repeat(50_000),
      '[a]('.repeat(20_000),
      '`'.repeat(50_000),
      '> '.repeat(20_000),
      `${'- '.repeat(20_000)}x`,
      '|'.repeat(50_000),
      `${' '.repeat(2_000)}- a\n`.repeat(50),
      '_'.repeat(50_000),
      '#'.repeat(50_000),
      '- '.repeat(30_000),
      '* * '.repeat(20_000),
    ]
    for (const input of hostile) {
      const startedAt = performance.now()
      parseMarkdown(input)
      expect([input.slice(0, 8), performance.now() - startedAt < 2_000]).toEqual([
        input.slice(0, 8),
        true,
      ])
    }
  })
})

describe('images', () => {
  const manifest = JSON.stringify({
    layers: [
      { digest: 'sha256:a', size: 1, mediaType: 't' },
      { digest: 'sha256:b', size: 2 },
    ],
  })

  test('layers get the step of the history that made them', () => {
    const config = JSON.stringify({
      history: [
        { created_by: '/bin/sh -c #(nop) ADD file:1 in / ' },
        { created_by: 'ENV A=b', empty_layer: true },
        { created_by: 'RUN /bin/sh -c make # buildkit' },
      ],
    })
    expect(layersOf(manifest, config).map(({ command }) => command)).toEqual([
      'ADD file:1 in /',
      'RUN /bin/sh -c make',
    ])
    // A history that does not fit says nothing of any layer.
    const short = JSON.stringify({ history: [{ created_by: 'x' }] })
    expect(layersOf(manifest, short).map(({ command }) => command)).toEqual([undefined, undefined])
  })

  test('whatever was pushed is shown or left out', () => {
    for (const hostile of ['', 'null', '[]', '1', '{"layers":{}}', '{"layers":[null,1,"x",[]]}']) {
      expect(Array.isArray(layersOf(hostile, hostile))).toBe(true)
      expect(imageConfigOf(hostile).labels).toEqual([])
    }
    const config = {
      config: { Env: ['A=b', 7], Labels: { a: 1 }, Cmd: 'sh', Entrypoint: ['a', {}] },
    }
    const read = imageConfigOf(JSON.stringify(config))
    expect(read.environment).toEqual(['A=b'])
    expect(read.labels).toEqual([['a', '']])
  })
})

test('commands name what each client needs', () => {
  const asked = {
    host: 'registry.example:5000',
    isPlain: false,
    repository: 'shop/web',
    tag: '1.0',
    digest: `sha256:${'0'.repeat(64)}`,
    kind: 'image' as const,
  }
  const lines = commandsFor(asked)
  expect(lines.map(({ tool }) => tool)).toEqual([
    ...['docker', 'podman', 'containerd', 'crane', 'skopeo', 'oras'],
  ])
  expect(lines[0]?.byTag).toBe('docker pull registry.example:5000/shop/web:1.0')
  expect(lines[1]?.byDigest).toBe(`podman pull registry.example:5000/shop/web@${asked.digest}`)
  const plain = commandsFor({ ...asked, isPlain: true })
  expect(plain[1]?.byTag).toContain('--tls-verify=false')
  const [helm] = commandsFor({ ...asked, kind: 'chart', tag: '1.0_build' })
  expect(helm?.byTag).toBe('helm pull oci://registry.example:5000/shop/web --version 1.0+build')
})

test('an export is no formula', () => {
  const entry = {
    id: 1,
    at: 0,
    account: 1,
    accountName: '=HYPERLINK("http://e.example")',
    action: 'tag.delete',
    project: null,
    resource: 'a,"b"\nc',
    address: '+1',
    requestId: '',
    details: { reason: '@x' },
  }
  const [, ...rows] = csvOf([entry]).split('\r\n')
  expect(rows.join('\r\n')).toBe(
    `"1970-01-01T00:00:00.000Z","'=HYPERLINK(""http://e.example"")","tag.delete","a,""b""\nc","'+1","","{""reason"":""@x""}"\r\n`,
  )
})
