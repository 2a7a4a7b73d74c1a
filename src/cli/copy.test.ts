import { describe, expect, test } from 'bun:test'
import { AppError } from '../lib/errors.ts'
import type { ApiClient } from './api-client.ts'
import { type CopyOptions, copy, parsePlace } from './copy.ts'

const OPTIONS: CopyOptions = {
  source: 'payments/api:1.4',
  target: 'harbor://',
  rewriteIndex: false,
  referrers: true,
  overwrite: true,
  wait: true,
}

const view = (more: object) => ({
  id: 7,
  project: 'payments',
  source: { registry: null, name: 'self', repository: 'payments/api', reference: '1.4' },
  target: { registry: 'x', name: 'harbor', repository: 'team/api', tag: '1.4' },
  platforms: null,
  index: 'keep',
  referrers: true,
  overwrite: true,
  requestedBy: 'alice',
  state: 'queued',
  digest: null,
  manifests: 0,
  blobs: { total: 3, done: 1, shown: [] },
  bytes: { total: 3 * 1024 * 1024, sent: 1024 * 1024, skipped: 0, mounted: 0 },
  speed: 0,
  notes: [],
  noteSays: [],
  error: null,
  waitsUntil: null,
  createdAt: 1,
  startedAt: null,
  finishedAt: null,
  ...more,
})

/** A server that gives these answers to the calls, one after the other. */
function serverOf(...answers: (object | Error)[]) {
  const calls: { method: string; path: string; body: unknown }[] = []
  const api: ApiClient = {
    async call(method, path, { body, answer }) {
      calls.push({ method, path, body })
      const next = answers.shift()
      if (next instanceof Error) throw next
      return answer.parse(next)
    },
  }
  return { api, calls }
}

function screen(isTerminal = false) {
  const lines: string[] = []
  return { lines, isTerminal, write: (text: string) => void lines.push(text) }
}

describe('the name of an image', () => {
  test.each([
    ['payments/api', { registry: 'self', repository: 'payments/api' }],
    ['payments/api:1.4', { registry: 'self', repository: 'payments/api', tag: '1.4' }],
    ['harbor://', { registry: 'harbor' }],
    ['harbor://team/api:1.4', { registry: 'harbor', repository: 'team/api', tag: '1.4' }],
    [
      'a b:5000/x://api@sha256:12',
      { registry: 'a b:5000/x', repository: 'api', digest: 'sha256:12' },
    ],
    ['api:1@sha256:12', { registry: 'self', repository: 'api', tag: '1', digest: 'sha256:12' }],
  ])('%s', (text, place) => {
    expect(parsePlace(text)).toEqual(place)
  })

  test.each(['', 'api:', ':1.4', 'harbor://:1'])('%p is none', (text) => {
    expect(() => parsePlace(text)).toThrow(AppError)
  })
})

describe('copying', () => {
  test('asks the server, and gives the id', async () => {
    const { api, calls } = serverOf(view({}))
    const options = { ...OPTIONS, platforms: ['linux/arm64'], wait: false, project: 'p' }
    expect(await copy(api, options, screen())).toBe('7\n')
    expect(calls).toEqual([
      {
        method: 'POST',
        path: '/transfers',
        body: {
          project: 'p',
          source: { registry: 'self', repository: 'payments/api', reference: '1.4' },
          target: { registry: 'harbor' },
          platforms: ['linux/arm64'],
          index: 'keep',
          referrers: true,
          overwrite: true,
        },
      },
    ])
  })

  test('waits, through a restart of the server, and gives the digest', async () => {
    const digest = `sha256:${'1'.repeat(64)}`
    const { api } = serverOf(
      view({}),
      view({ state: 'running', speed: 2048 }),
      new AppError('unavailable', 'does not answer'),
      view({ state: 'done', digest, finishedAt: 2, notes: ['something was left out'] }),
    )
    const progress = screen()
    expect(await copy(api, OPTIONS, progress)).toBe(`${digest}\n`)
    expect(progress.lines).toEqual([
      'transfer 7 running: 1 of 3 blobs, 1 MiB of 3 MiB, 2 KiB/s\n',
      'transfer 7 done: 1 of 3 blobs, 1 MiB of 3 MiB\n',
      'note: something was left out\n',
    ])
  })

  test('asks again and again where the server is older and does not wait', async () => {
    const digest = `sha256:${'1'.repeat(64)}`
    const { noteSays: _, ...old } = view({})
    const { api, calls } = serverOf(
      old,
      new AppError('invalid_input', 'the query is not right: "wait" is not known here'),
      { ...old, state: 'running' },
      { ...old, state: 'done', digest, finishedAt: 2 },
    )
    expect(await copy(api, OPTIONS, screen())).toBe(`${digest}\n`)
    const asked = calls.map(({ path }) => path)
    expect(asked).toEqual(['/transfers', '/transfers/7?wait=5', '/transfers/7', '/transfers/7'])
  })

  test('does not ask again what the server refuses for another reason', async () => {
    const wrong = new AppError('invalid_input', 'no')
    const { api } = serverOf(view({}), wrong, wrong)
    await expect(copy(api, OPTIONS, screen())).rejects.toThrow('no')
  })

  test('fails with the sentence of the transfer', async () => {
    const error = { code: 'immutable', message: 'tag "1.4" is immutable' }
    const { api } = serverOf(view({}), view({ state: 'failed', error, finishedAt: 2 }))
    await expect(copy(api, OPTIONS, screen(true))).rejects.toThrow('tag "1.4" is immutable')
  })

  test('refuses what cannot be meant before asking', async () => {
    const { api, calls } = serverOf()
    const ask = (more: Partial<CopyOptions>) => copy(api, { ...OPTIONS, ...more }, screen())
    await expect(ask({ source: 'harbor://' })).rejects.toThrow('names no image')
    await expect(ask({ target: 'x@sha256:1' })).rejects.toThrow('has a digest')
    expect(calls).toEqual([])
  })
})
