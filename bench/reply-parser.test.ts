import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createReplyParser, headerOf, type Reply } from './reply-parser.ts'

/** Feeds `text` in pieces that end at the given places. */
function parse(text: string, cuts: number[], options = { bodyless: false, keep: true }): Reply {
  const parser = createReplyParser()
  parser.expect(options)
  const bytes = Buffer.from(text, 'latin1')
  const places = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b)
  let from = 0
  for (const to of [...places, bytes.length]) {
    if (to === from) continue
    const reply = parser.feed(bytes.subarray(from, to))
    from = to
    if (reply !== null) {
      expect(from).toBe(bytes.length)
      return reply
    }
  }
  throw new Error('the answer never ended')
}

const sized = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 11\r\n\r\nhello world'
const chunked =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
  '6\r\nhello \r\n5;name=value\r\nworld\r\n0\r\nTrailer: x\r\n\r\n'

describe('answers arrive cut anywhere', () => {
  for (const [name, text] of Object.entries({ sized, chunked })) {
    test(name, () => {
      fc.assert(
        fc.property(fc.array(fc.nat(500)), (cuts) => {
          const reply = parse(text, cuts)
          expect(reply.status).toBe(200)
          expect(reply.length).toBe(11)
          expect(reply.body.toString()).toBe('hello world')
        }),
      )
    })
  }
})

test('an answer to HEAD ends with its head, whatever length it announces', () => {
  const text = 'HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n'
  const reply = parse(text, [], { bodyless: true, keep: false })
  expect(reply.length).toBe(0)
  expect(headerOf(reply.head, 'content-length')).toBe('4096')
})

test('a body that nobody wants is counted and dropped', () => {
  const reply = parse(sized, [], { bodyless: false, keep: false })
  expect(reply.length).toBe(11)
  expect(reply.body.length).toBe(0)
})

test('the words of an error are kept', () => {
  const text = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied'
  const reply = parse(text, [], { bodyless: false, keep: false })
  expect(reply.status).toBe(403)
  expect(reply.body.toString()).toBe('denied')
})

test('100 Continue is not the answer', () => {
  const reply = parse(`HTTP/1.1 100 Continue\r\n\r\n${sized}`, [])
  expect(reply.body.toString()).toBe('hello world')
})

test('more bytes than announced are an error', () => {
  expect(() => parse(`${sized}!`, [])).toThrow('more bytes')
})

test('an answer without any length is an error', () => {
  expect(() => parse('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx', [])).toThrow(
    'without a length',
  )
})

test('a body that nobody keeps may be dropped unseen, but for what came with its head', () => {
  const parser = createReplyParser()
  parser.expect({ bodyless: false, keep: false })
  expect(parser.droppable()).toBe(0)
  expect(parser.feed(Buffer.from(sized.slice(0, -4)))).toBeNull()
  expect(parser.droppable()).toBe(4)
  expect(parser.drop(1)).toBeNull()
  expect(parser.drop(3)).toMatchObject({ status: 200, length: 11 })
})

test('what is kept, chunked or an error has to be seen', () => {
  const errorAnswer = sized.replace('200 OK', '500 Oh')
  for (const [text, keep] of [
    [sized, true],
    [chunked, false],
    [errorAnswer, false],
  ] as const) {
    const parser = createReplyParser()
    parser.expect({ bodyless: false, keep })
    parser.feed(Buffer.from(text.slice(0, -4)))
    expect(parser.droppable()).toBe(0)
    expect(() => parser.drop(1)).toThrow('have to be seen')
  }
})

test('what was fed may be written over', () => {
  const parser = createReplyParser()
  parser.expect({ bodyless: false, keep: true })
  const buffer = Buffer.alloc(8)
  let reply: Reply | null = null
  for (let at = 0; at < sized.length; at += buffer.length) {
    const piece = sized.slice(at, at + buffer.length)
    buffer.write(piece, 'latin1')
    reply = parser.feed(buffer.subarray(0, piece.length))
  }
  expect(reply?.body.toString()).toBe('hello world')
})
