/*
 * The part of Markdown that READMEs are written in: headings, paragraphs, lists, quotes, code,
 * tables, emphasis and links. Everything else, HTML above all, stays the text that it is. Every
 * step takes at least a line or a character, and nesting is bounded, so that no text takes long.
 */

export type Span =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'emphasis'; spans: Span[] }
  | { kind: 'link'; href: string; spans: Span[] }

export type Block =
  | { kind: 'heading'; level: number; spans: Span[] }
  | { kind: 'paragraph'; spans: Span[] }
  | { kind: 'code'; text: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; ordered: boolean; items: Block[][] }
  | { kind: 'table'; head: Span[][]; rows: Span[][][] }
  | { kind: 'rule' }

const MOST_CHARACTERS = 200_000
const DEEPEST = 6

const FENCE = /^\s{0,3}(```+|~~~+)/
const HEADING = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$/
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/
const RULE = /^\s{0,3}([-*_])(?:\s*\1){2,}\s*$/
const QUOTE = /^\s{0,3}> ?(.*)$/
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/

export function parseMarkdown(text: string): Block[] {
  return blocksIn(text.slice(0, MOST_CHARACTERS).replaceAll('\r\n', '\n').split('\n'), 0)
}

function blocksIn(lines: readonly string[], depth: number): Block[] {
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    const line = lines[at] ?? ''
    if (line.trim() === '') {
      at++
      continue
    }
    const taken = blockAt(lines, at, depth)
    blocks.push(taken.block)
    at = Math.max(taken.end, at + 1)
  }
  return blocks
}

interface Taken {
  block: Block
  /** The first line after it. */
  end: number
}

function blockAt(lines: readonly string[], at: number, depth: number): Taken {
  const line = lines[at] ?? ''
  const fence = FENCE.exec(line)?.[1]
  if (fence) return codeAt(lines, at, fence)
  const heading = HEADING.exec(line)
  if (heading) {
    const [, marks = '', title = ''] = heading
    return { block: { kind: 'heading', level: marks.length, spans: spansIn(title) }, end: at + 1 }
  }
  if (RULE.test(line)) return { block: { kind: 'rule' }, end: at + 1 }
  if (depth < DEEPEST && QUOTE.test(line)) return quoteAt(lines, at, depth)
  if (depth < DEEPEST && ITEM.test(line)) return listAt(lines, at, depth)
  if (line.includes('|') && TABLE_LINE.test(lines[at + 1] ?? 'x')) return tableAt(lines, at)
  return paragraphAt(lines, at)
}

function codeAt(lines: readonly string[], at: number, fence: string): Taken {
  let end = at + 1
  while (end < lines.length && !(lines[end] ?? '').trimStart().startsWith(fence)) end++
  return { block: { kind: 'code', text: lines.slice(at + 1, end).join('\n') }, end: end + 1 }
}

function quoteAt(lines: readonly string[], at: number, depth: number): Taken {
  const inner: string[] = []
  let end = at
  for (; end < lines.length; end++) {
    const quoted = QUOTE.exec(lines[end] ?? '')
    if (!quoted) break
    inner.push(quoted[1] ?? '')
  }
  return { block: { kind: 'quote', blocks: blocksIn(inner, depth + 1) }, end }
}

function listAt(lines: readonly string[], at: number, depth: number): Taken {
  const first = ITEM.exec(lines[at] ?? '')
  const indent = first?.[1]?.length ?? 0
  const ordered = /\d/.test(first?.[2] ?? '')
  const items: string[][] = []
  let end = at
  for (; end < lines.length; end++) {
    const line = lines[end] ?? ''
    const item = ITEM.exec(line)
    const deep = line.length - line.trimStart().length > indent
    if (item && (item[1]?.length ?? 0) <= indent + 1 && !(deep && items.length > 0)) {
      if (/\d/.test(item[2] ?? '') !== ordered) break
      items.push([item[3] ?? ''])
    } else if (line.trim() === '') {
      const next = lines[end + 1] ?? ''
      if (!/^\s/.test(next) && !ITEM.test(next)) break
      items.at(-1)?.push('')
    } else if (deep) {
      items.at(-1)?.push(line.slice(Math.min(indent + 2, line.length - line.trimStart().length)))
    } else if (lines[end - 1]?.trim() === '') {
      break
    } else {
      items.at(-1)?.push(line)
    }
  }
  const inner = items.map((item) => blocksIn(item, depth + 1))
  return { block: { kind: 'list', ordered, items: inner }, end }
}

function tableAt(lines: readonly string[], at: number): Taken {
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split('|')
      .map((cell) => spansIn(cell.trim()))
  const rows: Span[][][] = []
  let end = at + 2
  for (; end < lines.length && (lines[end] ?? '').includes('|'); end++) {
    rows.push(cells(lines[end] ?? ''))
  }
  return { block: { kind: 'table', head: cells(lines[at] ?? ''), rows }, end }
}

function paragraphAt(lines: readonly string[], at: number): Taken {
  const inner = [lines[at] ?? '']
  let end = at + 1
  for (; end < lines.length; end++) {
    const line = lines[end] ?? ''
    const begins = FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || QUOTE.test(line)
    if (line.trim() === '' || begins) break
    inner.push(line)
  }
  return { block: { kind: 'paragraph', spans: spansIn(inner.join('\n')) }, end }
}

/** Each pattern is bounded in what it looks through. */
const SPAN =
  /`([^`\n]{1,1000})`|\*\*([^*\n]{1,1000})\*\*|__([^_\n]{1,1000})__|\*([^*\s][^*\n]{0,1000})\*|!?\[([^\]\n]{0,500})\]\(([^)\s]{1,1000})(?:\s+"[^"\n]{0,200}")?\)|<?(https?:\/\/[^\s<>)\]]{1,1000})>?/g

function spansIn(text: string, depth = 0): Span[] {
  if (depth > 3) return [{ kind: 'text', text }]
  const spans: Span[] = []
  let from = 0
  for (const match of text.matchAll(SPAN)) {
    if (match.index > from) spans.push({ kind: 'text', text: text.slice(from, match.index) })
    spans.push(spanOf(match, depth))
    from = match.index + match[0].length
  }
  if (from < text.length) spans.push({ kind: 'text', text: text.slice(from) })
  return spans
}

function spanOf(match: RegExpExecArray, depth: number): Span {
  const [whole, code, strong, strong2, emphasis, label, href, bare] = match
  if (code !== undefined) return { kind: 'code', text: code }
  const bold = strong ?? strong2
  if (bold !== undefined) return { kind: 'strong', spans: spansIn(bold, depth + 1) }
  if (emphasis !== undefined) return { kind: 'emphasis', spans: spansIn(emphasis, depth + 1) }
  if (bare !== undefined) {
    return { kind: 'link', href: bare, spans: [{ kind: 'text', text: bare }] }
  }
  if (href !== undefined && /^https?:\/\//i.test(href)) {
    const inner = (label ?? '').startsWith('http') ? [] : spansIn(label ?? '', depth + 1)
    const shown = inner.length > 0 ? inner : [{ kind: 'text' as const, text: label || href }]
    return { kind: 'link', href, spans: shown.flatMap(withoutLinks) }
  }
  return { kind: 'text', text: label || whole }
}

/** A link in a link is none. */
function withoutLinks(span: Span): Span[] {
  return span.kind === 'link' ? span.spans : [span]
}
