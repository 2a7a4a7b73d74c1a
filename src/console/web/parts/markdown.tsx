import type { ReactNode } from 'react'
import { inOrder } from './in-order.ts'
import { type Block, parseMarkdown, type Span } from './markdown-parser.ts'

/**
 * Markdown of strangers: only elements that are made here, never HTML of theirs; no pictures, which
 * would tell others who reads; links to http and https only.
 */
export function Markdown({ text }: { text: string }) {
  return <div className="markdown">{blocksOf(parseMarkdown(text))}</div>
}

function blocksOf(blocks: readonly Block[]): ReactNode {
  return inOrder(blocks, (block) => <BlockView block={block} />)
}

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case 'heading': {
      // The page has its own title and sections.
      const Tag = `h${Math.min(6, block.level + 1)}` as 'h2'
      return <Tag>{spansOf(block.spans)}</Tag>
    }
    case 'code':
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by keyboard
        <pre tabIndex={0}>{block.text}</pre>
      )
    case 'quote':
      return <blockquote>{blocksOf(block.blocks)}</blockquote>
    case 'list': {
      const items = inOrder(block.items, (item) => <li>{blocksOf(item)}</li>)
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>
    }
    case 'table':
      return (
        <table>
          <thead>
            <tr>
              {inOrder(block.head, (cell) => (
                <th>{spansOf(cell)}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {inOrder(block.rows, (row) => (
              <tr>
                {inOrder(row, (cell) => (
                  <td>{spansOf(cell)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )
    case 'rule':
      return <hr />
    case 'paragraph':
      return <p>{spansOf(block.spans)}</p>
  }
}

function spansOf(spans: readonly Span[]): ReactNode {
  return inOrder(spans, (span) => <SpanView span={span} />)
}

function SpanView({ span }: { span: Span }) {
  switch (span.kind) {
    case 'text':
      return span.text
    case 'code':
      return <code className="mono">{span.text}</code>
    case 'strong':
      return <strong>{spansOf(span.spans)}</strong>
    case 'emphasis':
      return <em>{spansOf(span.spans)}</em>
    case 'link':
      return (
        <a href={span.href} rel="noopener noreferrer nofollow" target="_blank">
          {spansOf(span.spans)}
        </a>
      )
  }
}
