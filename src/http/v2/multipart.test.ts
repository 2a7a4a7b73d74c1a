import { expect, test } from 'bun:test'
import type { Blob } from '../../registry/blobs.ts'
import { multipartResponse } from './multipart.ts'

const MIB = 1024 * 1024

test('what could not be read takes nothing of the memory for others', async () => {
  const blob: Blob = {
    size: 100 * MIB,
    contentId: 1,
    storageKey: 'ab/1',
    bytes: null,
    repositoryId: 1,
    unreferencedSince: null,
  }
  const ranges = [
    { start: 0, end: 8 * MIB - 1 },
    { start: 20 * MIB, end: 28 * MIB - 1 },
  ]
  const broken = async () => {
    throw new Error('the storage does not answer')
  }
  for (let i = 0; i < 10; i++) {
    await expect(multipartResponse(ranges, blob, {}, broken)).rejects.toThrow('the storage')
  }
  const answer = await multipartResponse(ranges, blob, {}, async () => new Uint8Array(8 * MIB))
  expect(answer?.status).toBe(206)
})
