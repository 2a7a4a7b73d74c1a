import { expect, test } from 'bun:test'
import { createPayloadSource } from './payloads.ts'
import { createReplyParser } from './reply-parser.ts'

const source = createPayloadSource(1024 * 1024)
const sizes = [64, 100, 32 * 1024, 32 * 1024 + 32, 70_000, 1024 * 1024]

for (const size of sizes) {
  test(`${size} bytes have the digest that is told, plain and chunked`, () => {
    const { plain, chunked, digest } = source.next(size)
    const bytes = Buffer.concat(plain)
    expect(bytes.length).toBe(size)
    expect(`sha256:${Bun.SHA256.hash(bytes, 'hex')}`).toBe(digest)

    const parser = createReplyParser()
    parser.expect({ bodyless: false, keep: true })
    const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const decoded = parser.feed(Buffer.concat([head, ...chunked]))
    expect(decoded?.body.equals(bytes)).toBe(true)
  })
}

test('no two payloads are alike', () => {
  const digests = Array.from({ length: 100 }, () => source.next(1000).digest)
  expect(new Set(digests).size).toBe(100)
})

test('a blob larger than the shared bytes repeats them and is unique all the same', () => {
  const size = 2.5 * 1024 * 1024
  const [one, other] = [source.next(size), source.next(size)]
  const bytes = Buffer.concat(one.plain)
  expect(bytes.length).toBe(size)
  expect(`sha256:${Bun.SHA256.hash(bytes, 'hex')}`).toBe(one.digest)
  expect(other.digest).not.toBe(one.digest)
})
