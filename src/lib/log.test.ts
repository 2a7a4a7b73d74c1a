import { describe, expect, test } from 'bun:test'
import { createLog, type LogOptions } from './log.ts'
import { redactText } from './redact.ts'

async function written(
  options: Partial<LogOptions>,
  write: (log: ReturnType<typeof createLog>) => void,
) {
  let text = ''
  const output = (lines: string) => {
    text += lines
  }
  write(createLog({ level: 'info', format: 'json', output, ...options }))
  await Bun.sleep(1)
  return text
}

describe('a log line', () => {
  test('is one JSON object with message, level, time and fields', async () => {
    const text = await written({ name: 'worker-1' }, (log) => {
      log.child({ requestId: 'r1' }).info('upload committed', { bytes: 5 })
      log.debug('not this one')
    })
    const { time, ...rest } = JSON.parse(text)
    expect(Date.parse(time)).toBeGreaterThan(0)
    expect(rest).toEqual({
      level: 'info',
      process: 'worker-1',
      requestId: 'r1',
      bytes: 5,
      msg: 'upload committed',
    })
  })

  test('in a terminal shows message, fields and the stack of an error', async () => {
    const text = await written({ format: 'pretty' }, (log) =>
      log.error('job failed', { kind: 'sweep', error: new Error('no such table') }),
    )
    expect(Bun.stripANSI(text)).toMatch(
      /^\d\d:\d\d:\d\d error job failed kind=sweep error="no such/,
    )
    expect(text).toContain('log.test.ts')
  })

  test('holds no secrets, wherever they stand', async () => {
    const text = await written({}, (log) =>
      log.info('request', {
        headers: {
          Authorization: 'Basic aHVudGVyMg==',
          cookie: 'a=hunter2',
          'X-Auth-Token': 'hunter2',
        },
        list: [{ password: 'hunter2', refreshToken: 'hunter2' }],
        url: '/token?service=x&access_token=hunter2&scope=y',
        error: new Error('connect postgres://user:hunter2@db failed', {
          cause: new Error('sent Authorization: Bearer abc.HUNTER2.def'),
        }),
        fromHeaders: new Headers({ authorization: 'hunter2' }),
      }),
    )
    expect(text).not.toMatch(/hunter2|aHVudGVyMg/i)
    const line = JSON.parse(text)
    expect(line.url).toBe('/token?service=x&access_token=[redacted]&scope=y')
    expect(line.error.message).toBe('connect postgres://user:[redacted]@db failed')
  })

  test('keeps what only looks like a secret', async () => {
    const text = await written({}, (log) =>
      log.info('signed in', { tokens: 3, hasPassword: true, password: false, missing: undefined }),
    )
    expect(JSON.parse(text)).toMatchObject({ tokens: 3, hasPassword: true, password: false })
  })

  test.each([
    'basic authentication failed',
    'Bearer realm="https://example.com/token",service="x"',
    'https://example.com/v2/?n=100&last=b',
  ])('leaves alone: %s', (text) => {
    expect(redactText(text)).toBe(text)
  })
})

test('lines of one tick go out together, and never more than a pipe takes whole', async () => {
  const writes: string[] = []
  const log = createLog({ level: 'info', format: 'json', output: (lines) => writes.push(lines) })
  for (let i = 0; i < 100; i++) log.info('request', { i, path: 'x'.repeat(200) })
  await Bun.sleep(1)
  expect(writes.length).toBeLessThan(20)
  expect(Math.max(...writes.map((lines) => lines.length))).toBeLessThanOrEqual(4096)
  const numbers = writes
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).i)
  expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => i))
})
