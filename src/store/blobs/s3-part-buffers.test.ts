import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPartBuffers, type PartBuffer } from './s3-part-buffers.ts'
import { MEMORY_PART_BYTES } from './s3-part-sizes.ts'

const MIB = 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'entrepot-parts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bytesOf(part: PartBuffer): Promise<Buffer> {
  const body = part.body()
  return body instanceof Blob ? Buffer.from(await body.arrayBuffer()) : Buffer.from(body)
}

test.each([
  ['in memory', 3 * MIB, MIB],
  ['on the disk', MEMORY_PART_BYTES + 1, 33 * MIB],
])('a part %s takes what there is room for and can be sent twice', async (_, capacity, step) => {
  const part = await createPartBuffers({ folder }).open(capacity)
  const chunk = new Uint8Array(step)
  for (let i = 0; i < step; i += 997) chunk[i] = i % 251
  let taken = 0
  for (;;) {
    const more = await part.fill(chunk)
    taken += more
    if (more < step) break
  }
  expect(taken).toBe(capacity)
  expect(part.length).toBe(capacity)
  expect(await part.fill(chunk)).toBe(0)
  const wanted = Buffer.concat([chunk, chunk, chunk, chunk]).subarray(0, capacity)
  for (let i = 0; i < 2; i++) expect(Buffer.compare(await bytesOf(part), wanted)).toBe(0)
  const cutOff = await part.cut(capacity - 1000)
  expect(Buffer.compare(cutOff, wanted.subarray(capacity - 1000))).toBe(0)
  expect(part.length).toBe(capacity - 1000)
  expect(Buffer.compare(await bytesOf(part), wanted.subarray(0, capacity - 1000))).toBe(0)
  await part.release()
  await part.release()
  expect(readdirSync(folder)).toEqual([])
})

test('buffers grow with what is in them and are used again', async () => {
  const buffers = createPartBuffers({ folder })
  const small = await buffers.open(8 * MIB)
  await small.fill(new Uint8Array(10))
  expect(buffers.held).toBeLessThanOrEqual(MIB)
  await small.release()
  for (let i = 0; i < 50; i++) {
    const parts = await Promise.all([1, 2, 3].map(() => buffers.open(8 * MIB)))
    for (const part of parts) await part.fill(new Uint8Array(8 * MIB))
    for (const part of parts) await part.release()
  }
  expect(buffers.held).toBeLessThanOrEqual(26 * MIB)
})
