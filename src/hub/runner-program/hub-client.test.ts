import { expect, test } from 'bun:test'
import { z } from 'zod'
import { codeOf } from '../../accounts/test-accounts.ts'
import { createHubClient } from './hub-client.ts'

/* A hub that is not what it should be. */

const client = (url: string) =>
  createHubClient({ url, caCertificate: undefined, userAgent: 'test' })
const ask = (url: string) =>
  codeOf(client(url).call('/self/lease', {}, { answer: z.unknown(), credential: 'epn_planted' }))

test('an answer that does not end is left, and a redirect is not followed', async () => {
  let elsewhere = 0
  let sent = 0
  const other = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch() {
      elsewhere++
      return Response.json({})
    },
  })
  const endless = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += 65_536
            controller.enqueue(new Uint8Array(65_536).fill(32))
          },
        }),
      ),
  })
  const leading = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => Response.redirect(`${other.url}api/v1/runners/self/lease`, 307),
  })
  try {
    expect(await ask(endless.url.href)).toBe('unavailable')
    expect(sent).toBeGreaterThan(8 * 1024 * 1024)
    expect(sent).toBeLessThan(256 * 1024 * 1024)
    expect(await ask(leading.url.href)).toBe('unavailable')
    expect(elsewhere).toBe(0)
    expect(await ask(other.url.href)).toBe('none')
  } finally {
    for (const server of [other, endless, leading]) await server.stop(true)
  }
})
