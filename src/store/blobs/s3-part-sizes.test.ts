import { expect, test } from 'bun:test'
import { MEMORY_PART_BYTES, MIN_PART_BYTES, ONE_PUT_BYTES, partSize } from './s3-part-sizes.ts'
import { MAX_PARTS } from './s3-state.ts'

const GIB = 2 ** 30

test('parts of an upload hold 5 TiB, each within what S3 takes', () => {
  let total = 0
  let before = 0
  for (let number = 1; number <= MAX_PARTS; number++) {
    const size = partSize(number)
    expect(size).toBeGreaterThanOrEqual(before)
    before = size
    total += size
  }
  expect(partSize(1)).toBe(ONE_PUT_BYTES)
  expect(partSize(1)).toBeGreaterThan(MIN_PART_BYTES)
  expect(before).toBeLessThanOrEqual(5 * GIB)
  expect(total).toBeGreaterThanOrEqual(5 * 1024 * GIB)
})

test('no layer that anybody has seen needs the disk', () => {
  let total = 0
  for (let number = 1; partSize(number) <= MEMORY_PART_BYTES; number++) total += partSize(number)
  expect(total).toBeGreaterThan(300 * GIB)
})
