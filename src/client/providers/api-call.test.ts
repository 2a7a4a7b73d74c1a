import { afterEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { AppError, isAppError } from '../../lib/errors.ts'
import { callJson } from './api-call.ts'
import { contextOf, startCloud, type TestCloud } from './test-cloud.ts'
import { failureOf } from './test-listing.ts'

let cloud: TestCloud | undefined
afterEach(() => cloud?.stop())

const secretKey = 'a-secret-of-the-registry'

async function failureFor(answer: () => Response): Promise<AppError> {
  cloud = startCloud(answer)
  const context = contextOf({ provider: 'native', address: cloud.url, accessKey: 'me', secretKey })
  const call = {
    registry: 'The registry',
    purpose: 'list repositories',
    url: cloud.url,
    headers: { authorization: 'Bearer a-token-of-the-registry' },
  }
  const error = await failureOf(callJson(context, call, z.object({ names: z.array(z.string()) })))
  if (!isAppError(error)) throw error
  return error
}

describe('what a registry answers instead', () => {
  test.each([
    [401, 'remote_denied', 'login'],
    [403, 'remote_denied', 'permission'],
    [404, 'not_found', 'absent'],
    [400, 'remote_error', 'rejected'],
    [302, 'remote_error', 'redirect'],
    [429, 'rate_limited', 'overloaded'],
    [500, 'remote_error', 'server'],
    [503, 'remote_error', 'server'],
  ] as const)('%d', async (status, code, problem) => {
    const headers = { location: 'http://169.254.169.254/' }
    const error = await failureFor(() => new Response('<html>', { status, headers }))
    expect(error.code).toBe(code)
    expect(error.details).toMatchObject({ problem, status })
    expect(error.message).toContain('The registry')
    expect(error.message).toContain(`${status}`)
    expect(cloud?.seen.length).toBe(1)
  })

  test.each(['', '<html>', '[]', '{"names": 1}', 'null'])('a body like %p', async (body) => {
    const error = await failureFor(() => new Response(body))
    expect(error.code).toBe('remote_error')
    expect(error.details.problem).toBe('answer')
  })

  test('more than anybody reads', async () => {
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      })
    const error = await failureFor(() => new Response(endless()))
    expect(error.details.problem).toBe('too_large')
    expect(error.message).toContain('The registry')
  })
})

test('what it says is shown in one short line without secrets', async () => {
  const message = `${secretKey}\u001b[31m\n a-token-of-the-registry\u202e ${'x'.repeat(2000)}`
  const error = await failureFor(() => Response.json({ message }, { status: 400 }))
  expect(error.message).not.toContain(secretKey)
  expect(error.message).not.toContain('a-token-of-the-registry')
  expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  expect(error.message.length).toBeLessThan(400)
  expect(error.message).toContain('400: … [31m …')
})

test('a failure of the fetch comes through as it is', async () => {
  const context = contextOf({ provider: 'native', address: 'http://127.0.0.1:1' })
  const refused = new AppError('address_refused', 'no')
  const guarded = { ...context, fetch: () => Promise.reject(refused) }
  const call = { registry: 'The registry', purpose: 'log in', url: 'http://127.0.0.1:1' }
  expect(await failureOf(callJson(guarded, call, z.unknown()))).toBe(refused)
})

test('the API of a vendor is asked by the fetch that trusts the roots of the system', async () => {
  cloud = startCloud(() => Response.json({}))
  const context = contextOf({ provider: 'native', address: cloud.url })
  const own = { ...context, fetch: () => Promise.reject(new Error('not this one')) }
  const call = { registry: 'The registry', purpose: 'log in', url: cloud.url, isVendorApi: true }
  await callJson({ ...own, apiFetch: context.fetch }, call, z.unknown())
  expect(cloud.seen.length).toBe(1)
})
