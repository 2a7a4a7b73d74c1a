import { describe, expect, test } from 'bun:test'
import { createTimes } from './times.ts'

describe('times', () => {
  const at = Date.parse('2023-09-19T06:19:46.727Z')

  test('are those of the printed samples in the default zone', () => {
    const times = createTimes('Asia/Shanghai')
    expect(times.list(at)).toBe('2023-09-19 14:19:46')
    expect(times.detail(at)).toBe('2023-09-19 14:19:46.727 +0800 CST')
    expect(times.utc(Date.parse('2023-09-26T11:52:35.091Z'))).toBe('2023-09-26T11:52:35.091Z')
    expect([times.list(null), times.utc(null)]).toEqual([
      '0001-01-01 00:00:00',
      '0001-01-01T00:00:00Z',
    ])
  })

  test('keep their form at midnight and with few milliseconds', () => {
    const times = createTimes('Asia/Shanghai')
    const midnight = Date.parse('2023-12-31T16:00:00.005Z')
    expect(times.list(midnight)).toBe('2024-01-01 00:00:00')
    expect(times.detail(midnight)).toBe('2024-01-01 00:00:00.005 +0800 CST')
    expect(times.detail(0)).toBe('1970-01-01 08:00:00.000 +0800 CST')
  })

  test.each([
    ['UTC', '2023-09-19 06:19:46.727 +0000 UTC'],
    ['America/New_York', '2023-09-19 02:19:46.727 -0400 EDT'],
    ['Asia/Singapore', '2023-09-19 14:19:46.727 +0800 +08'],
    ['Asia/Kolkata', '2023-09-19 11:49:46.727 +0530 +0530'],
    ['Asia/Tokyo', '2023-09-19 15:19:46.727 +0900 JST'],
  ])('follow the zone %s', (zone, expected) => {
    expect(createTimes(zone).detail(at)).toBe(expected)
  })
})
