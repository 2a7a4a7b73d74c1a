import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createGuardedFetch } from '../../lib/guarded-fetch.ts'
import { silentLog } from '../../lib/log.ts'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { type Connections, createConnections } from '../connections.ts'
import {
  createTestRegistries,
  PLANTED,
  type TestRegistries,
} from '../registries/test-registries.ts'
import { addRunner } from '../runners/test-runner.ts'
import { type Checks, createChecks } from './checks.ts'
import type { ConnectionReport } from './report.ts'

type Answer = (request: Request, url: URL) => Response | Promise<Response>

const GOOD: Record<string, Answer> = {
  'GET /v2/': () => new Response('{}'),
  'GET /v2/_catalog': () => Response.json({ repositories: ['team/app'] }),
  'GET /v2/team/app/tags/list': () => Response.json({ name: 'team/app', tags: ['1'] }),
  'POST /v2/team/app/blobs/uploads/': () =>
    new Response(null, { status: 202, headers: { location: '/v2/team/app/blobs/uploads/1' } }),
  'DELETE /v2/team/app/blobs/uploads/1': () => new Response(null, { status: 204 }),
}
const basic = `Basic ${btoa(`ci:${PLANTED}`)}`
const unauthorized = () =>
  new Response('{}', { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } })

onEachEngine('tests of connections', (create) => {
  let hub: TestRegistries
  let connections: Connections
  let checks: Checks
  let server: ReturnType<typeof Bun.serve> | undefined
  const seen: string[] = []

  beforeEach(async () => {
    hub = await createTestRegistries(create)
    const { db, clock } = hub.accounts
    const fetch = createGuardedFetch({ allowedNetworks: ['127.0.0.0/8'] })
    const { registries } = hub
    connections = createConnections({ registries, fetch, clock, log: silentLog, userAgent: 'test' })
    checks = createChecks({ db, clock, log: silentLog, registries, connections })
    seen.length = 0
  })
  afterEach(async () => {
    await server?.stop(true)
    server = undefined
    await hub.remove()
  })

  /** A registry that wants Basic, with some answers replaced. */
  function serve(answers: Record<string, Answer> = {}, tls?: { cert: string; key: string }) {
    const all = { ...GOOD, ...answers }
    server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      ...(tls ? { tls } : {}),
      fetch(request) {
        const url = new URL(request.url)
        const name = `${request.method} ${url.pathname}`
        seen.push(name)
        if (request.headers.get('authorization') !== basic) return unauthorized()
        return all[name]?.(request, url) ?? Response.json({ errors: [] }, { status: 404 })
      },
    })
    return `${tls ? 'https' : 'http'}://127.0.0.1:${server.port}`
  }

  const check = async (address: string, settings: object = {}): Promise<ConnectionReport> => {
    const { id } = await hub.add('one', {
      provider: 'native',
      address,
      namespace: 'team',
      ...settings,
    })
    return checks.check(id)
  }
  const results = (report: ConnectionReport) =>
    Object.fromEntries(report.steps.map(({ step, result }) => [step, result]))
  const messageOf = (report: ConnectionReport, step: string) =>
    report.steps.find((found) => found.step === step)?.message

  test('one that works is tried to the end, and remembered as good', async () => {
    const report = await check(serve())
    expect(results(report)).toEqual({
      resolve: 'ok',
      connect: 'ok',
      tls: 'warning',
      challenge: 'ok',
      login: 'ok',
      namespace: 'ok',
      pull: 'ok',
      push: 'ok',
      clock: 'warning',
      rateLimit: 'skipped',
    })
    expect(report).toMatchObject({ ok: true, reason: '', code: null })
    expect(seen).toContain('DELETE /v2/team/app/blobs/uploads/1')
    const [stored] = await hub.registries.list({})
    expect(stored).toMatchObject({
      health: 'ok',
      healthReason: '',
      checkedAt: report.at,
      lastSuccessAt: report.at,
      healthSteps: report.steps,
      version: 1,
    })
    expect(JSON.stringify(report)).not.toContain(PLANTED)
  })

  test('a wrong password ends at the login, without a word of it', async () => {
    const report = await check(serve(), { secret: 'not-this-one' })
    expect(results(report)).toMatchObject({ challenge: 'ok', login: 'failed', pull: 'skipped' })
    expect(report.reason).toContain('check user and password')
    expect(report.code).toBe('REQUEST_API_ERROR')
    expect(JSON.stringify(report)).not.toContain('not-this-one')
    expect((await hub.registries.list({}))[0]).toMatchObject({
      health: 'failing',
      healthReason: report.reason,
      lastSuccessAt: null,
    })
  })

  test('a certificate that nobody trusts is named, and good with its authority', async () => {
    const pair = createSelfSigned({ names: ['127.0.0.1'], now: Date.now(), days: 9 })
    const address = serve({}, pair)
    const untrusted = await check(address)
    expect(results(untrusted)).toMatchObject({ connect: 'ok', tls: 'failed', challenge: 'skipped' })
    expect(untrusted.reason).toContain('signed by nobody who is trusted here')
    const [{ id } = { id: '' }] = await hub.registries.list({})
    const change = { caCertificate: pair.cert, secret: PLANTED }
    await hub.registries.update(id, change, { mayUsePrivate: true })
    const trusted = await checks.check(id)
    expect(results(trusted)).toMatchObject({ tls: 'ok', login: 'ok' })
  })

  test('nothing that listens, a name that is none, an address that is refused', async () => {
    const address = serve()
    await server?.stop(true)
    const nothing = await check(address)
    expect(results(nothing)).toMatchObject({ resolve: 'ok', connect: 'failed' })
    const { host } = new URL(address)
    // What the console translates.
    expect(nothing.steps.map(({ says }) => says?.name).slice(0, 3)).toEqual([
      'check_has_address',
      'remote_refused',
      'check_not_reached',
    ])
    expect(nothing.steps[1]?.says?.params).toEqual({ host })
    const unknown = await hub.add('unknown', { address: 'https://nowhere.invalid' })
    expect(results(await checks.check(unknown.id))).toMatchObject({ resolve: 'failed' })
    const metadata = await hub.add('metadata', { address: 'http://169.254.169.254' })
    const refused = await checks.check(metadata.id)
    expect(results(refused)).toMatchObject({ resolve: 'failed', connect: 'skipped' })
    expect(refused.steps[0]?.says?.name).toBe('check_address_refused')
  })

  test('one that may only pull, and one whose repositories nobody may list', async () => {
    const denied = () =>
      Response.json({ errors: [{ code: 'DENIED', message: 'no' }] }, { status: 403 })
    const report = await check(
      serve({
        'GET /v2/_catalog': denied,
        'POST /v2/team/entrepot-connection-test/blobs/uploads/': denied,
      }),
    )
    expect(results(report)).toMatchObject({
      login: 'ok',
      namespace: 'warning',
      pull: 'skipped',
      push: 'warning',
    })
    expect(report.ok).toBe(true)
    expect(messageOf(report, 'push')).toContain('may not push')
  })

  test('a clock that is off and a budget that is used up are told', async () => {
    const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '3;w=21600' }
    const report = await check(serve({ 'GET /v2/': () => new Response('{}', { headers }) }))
    expect(messageOf(report, 'rateLimit')).toBe('3 of 100 requests are left')
    expect(messageOf(report, 'clock')).toMatch(/its clock is \d+ s (ahead of|behind) ours/)
  })

  test('a test of a record that was changed meanwhile is forgotten', async () => {
    let change: () => Promise<unknown> = async () => {}
    const answer = async () => {
      await change()
      return Response.json({ repositories: [] })
    }
    const { id } = await hub.add('one', {
      provider: 'native',
      address: serve({ 'GET /v2/_catalog': answer }),
    })
    change = () => hub.registries.update(id, { notes: 'new' }, { mayUsePrivate: true })
    await checks.check(id)
    expect((await hub.registries.list({}))[0]).toMatchObject({ health: 'unknown', checkedAt: null })
  })

  test('one that is not connected to its runner says so', async () => {
    await addRunner(hub.accounts, 'edge')
    const { id } = await hub.add('far', { connectClusterId: 'edge' })
    const report = await checks.check(id)
    expect(report).toMatchObject({ ok: false, code: 'CREATE_JOB_FAILED' })
    expect(report.reason).toContain('"edge"')
    const says = { name: 'runner_silent', params: { name: 'edge' } }
    expect((await hub.registries.get(id))?.healthSays).toEqual(says)
    // As an older program beside this one writes it.
    await hub.accounts.db.query.updateTable('registry').set({ health_reason: 'other' }).execute()
    expect((await hub.registries.get(id))?.healthSays).toBeUndefined()
  })
})
