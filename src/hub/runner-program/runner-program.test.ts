import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AppError } from '../../lib/errors.ts'
import { createGuardedFetch } from '../../lib/guarded-fetch.ts'
import { silentLog } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secrets.ts'
import type { HubClient } from './hub-client.ts'
import { runRunner } from './runner-program.ts'

/*
 * The program against a hub that is played here: what it keeps, and that no answer which gets lost
 * locks it out.
 */

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-runner-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Played {
  /** Hashes of the credentials that are good. */
  good: string[]
  calls: string[]
  token: string | undefined
  /** Asked before each call is answered. */
  before?: (path: string) => void
  rotate: boolean
}

function played(): Played {
  return { good: [], calls: [], token: 'epe_one', rotate: false }
}

/** Runs until the hub has leased so many times; `stop` ends it before. */
async function run(hub: Played, leases: number): Promise<unknown> {
  const stop = new AbortController()
  let left = leases
  const client: HubClient = {
    async call(path, body, { answer, credential }) {
      hub.calls.push(path)
      const sent = body as Record<string, string>
      if (path === '/enrol') {
        hub.before?.(path)
        hub.good = [sent.credentialHash ?? '']
        return answer.parse({ id: 'edge', name: 'edge' })
      }
      if (credential === null || !hub.good.includes(hashSecret(credential))) {
        throw new AppError('unauthenticated', 'who is that?')
      }
      if (path === '/self/credential') {
        hub.before?.(path)
        hub.good = [hashSecret(credential), sent.credentialHash ?? '']
        return answer.parse(undefined)
      }
      // Who comes with the newer one has it.
      if (hub.good[1] === hashSecret(credential)) hub.good = [hub.good[1]]
      if (--left <= 0) stop.abort(new Error('enough'))
      return answer.parse({ tasks: [], lost: [], leaseMs: 20_000, rotate: hub.rotate })
    },
  }
  return runRunner(
    {
      hub: client,
      hubUrl: 'https://hub.example.com',
      folder,
      readToken: async () => hub.token,
      fetch: createGuardedFetch(),
      caCertificate: undefined,
      clock: Date.now,
      log: silentLog,
      version: '1',
      userAgent: 'test',
      atOnce: 4,
      only: [],
    },
    stop.signal,
  ).catch((error: unknown) => error)
}

const file = () => join(folder, 'runner.json')
const state = () => JSON.parse(readFileSync(file(), 'utf8')) as Record<string, string | null>

test('it enrols once, and comes again with what it has kept', async () => {
  const hub = played()
  await run(hub, 1)
  expect(hub.calls).toEqual(['/enrol', '/self/lease'])
  expect(statSync(file()).mode & 0o777).toBe(0o600)
  expect(state()).toMatchObject({ id: 'edge', hub: 'https://hub.example.com' })
  const { credential } = state()
  hub.calls.length = 0
  hub.token = undefined
  await run(hub, 2)
  expect(hub.calls).toEqual(['/self/lease', '/self/lease'])
  expect(state().credential).toBe(credential ?? '')
})

test('an enrolment whose answer was lost is asked for again with the same credential', async () => {
  const hub = played()
  let times = 0
  hub.before = () => {
    if (times++ === 0) throw new AppError('unavailable', 'cut off')
  }
  await run(hub, 1)
  expect(hub.calls).toEqual(['/enrol', '/enrol', '/self/lease'])
})

test('it changes its credential, and no lost answer locks it out', async () => {
  const hub = played()
  await run(hub, 1)
  const first = state().credential
  hub.rotate = true
  await run(hub, 1)
  hub.rotate = false
  await run(hub, 1)
  const second = state().credential
  expect(second).not.toBe(first)
  expect(hub.good).toEqual([hashSecret(second ?? '')])

  // The hub never hears of the next one.
  hub.rotate = true
  hub.before = () => {
    throw new AppError('unavailable', 'cut off')
  }
  await run(hub, 1)
  expect(state().nextCredential).not.toBeNull()
  hub.rotate = false
  await run(hub, 1)
  expect(state()).toMatchObject({ credential: second, nextCredential: null })

  // The hub hears of it, and the answer is lost.
  hub.rotate = true
  const good = [...hub.good]
  hub.before = () => {
    hub.good = [...good, hashSecret(String(state().nextCredential))]
    throw new AppError('unavailable', 'cut off')
  }
  await run(hub, 1)
  hub.rotate = false
  await run(hub, 1)
  expect(state().nextCredential).toBeNull()
  expect(hub.good).toEqual([hashSecret(String(state().credential))])
})

test('refused by the hub it enrols anew with another token, and else says what to do', async () => {
  const hub = played()
  await run(hub, 1)
  const { privateKey } = state()
  hub.good = []
  expect(String(await run(hub, 1))).toContain('put a new enrolment token')
  hub.token = 'epe_two'
  await run(hub, 1)
  expect(state().privateKey).toEqual(privateKey ?? null)
  expect(hub.calls.slice(-2)).toEqual(['/enrol', '/self/lease'])
})

test('a folder of another hub, or a damaged one, is refused', async () => {
  const hub = played()
  hub.token = undefined
  expect(String(await run(hub, 1))).toContain('has not enrolled yet')
  hub.token = 'epe_one'
  await run(hub, 1)
  writeFileSync(file(), JSON.stringify({ ...state(), hub: 'https://other.example.com' }))
  expect(String(await run(hub, 1))).toContain('belongs to a runner of https://other.example.com')
  writeFileSync(file(), '{"hub":')
  expect(String(await run(hub, 1))).toContain('is damaged')
})
