import { afterEach, beforeEach, expect, test } from 'bun:test'
import { codeOf } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestRegistries, type TestRegistries } from '../registries/test-registries.ts'
import type { RunnerIdentity } from './access.ts'
import { createAskRunner } from './ask-runner.ts'
import type { RunnerResult, RunnerTaskView } from './protocol.ts'
import type { RunnerService } from './service.ts'
import { LEASE_MS } from './tasks.ts'
import { addRunner, type TestRunner, testRunnerService } from './test-runner.ts'

const READ = { kind: 'read', images: 0, manifestsRead: 1 } as const

onEachEngine('the tasks of a runner', (create) => {
  let hub: TestRegistries
  let service: RunnerService
  let east: TestRunner
  let runner: RunnerIdentity
  let registry: string

  beforeEach(async () => {
    hub = await createTestRegistries(create)
    service = testRunnerService(hub.accounts)
    east = await addRunner(hub.accounts, 'east')
    runner = await service.access.authenticate(east.header)
    registry = (await hub.add('far', { connectClusterId: 'east' })).id
  })
  afterEach(() => hub.remove())

  const ask = () => createAskRunner(hub.accounts)
  const request = (repository: string, key = repository) => ({
    runner: 'east',
    registry,
    work: { kind: 'read', sync: 1, repository } as const,
    key,
  })
  const lease = async (slots = 1, as = runner, begins = false): Promise<RunnerTaskView[]> =>
    (
      await service.tasks.lease(as, {
        begins,
        held: [],
        slots,
        copies: slots,
        waitMs: 0,
        version: '1',
      })
    ).tasks
  /** Waits until what was asked for stands in the table. */
  async function queued(count: number): Promise<void> {
    for (;;) {
      const rows = await hub.accounts.db.query.selectFrom('runner_task').select('id').execute()
      if (rows.length >= count) return
      await Bun.sleep(5)
    }
  }
  async function leased(): Promise<RunnerTaskView> {
    await queued(1)
    for (;;) {
      // Who waits for a task renews it now and then, and meanwhile it is passed over.
      const [task] = await lease()
      if (task) return task
      await Bun.sleep(5)
    }
  }
  const end = (task: RunnerTaskView, result: RunnerResult, as = runner) =>
    codeOf(service.tasks.end(as, task, result))

  test('is taken once, ended once, and heard by who waits', async () => {
    const waiting = ask().run(request('a/b'))
    const task = await leased()
    expect(task).toMatchObject({ epoch: 1, work: { kind: 'read', repository: 'a/b', sync: 1 } })
    expect(task.registry).toMatchObject({ id: registry, name: 'far', accessKey: 'ci' })
    expect(await lease()).toEqual([])
    expect(await end(task, READ)).toBe('none')
    expect(await end(task, READ)).toBe('conflict')
    expect((await waiting).result).toEqual(READ)
    expect(await lease()).toEqual([])
  })

  test('goes to the next one when its lease runs out, and the former one is not heard', async () => {
    const stop = new AbortController()
    const waiting = ask().run(request('a/b'), stop.signal)
    const first = await leased()
    hub.accounts.pass(LEASE_MS - 1)
    expect(await service.tasks.hold(runner, [first])).toEqual([])
    hub.accounts.pass(LEASE_MS - 1)
    expect(await lease()).toEqual([])
    hub.accounts.pass(2)
    const second = await leased()
    expect(second).toMatchObject({ id: first.id, epoch: 2 })
    expect(await service.tasks.hold(runner, [first])).toEqual([first.id])
    expect(await codeOf(service.tasks.known(runner, first, ['1']))).toBe('conflict')
    expect(
      await codeOf(
        service.tasks.page(runner, first, { kind: 'images', unchanged: [], changed: [] }),
      ),
    ).toBe('conflict')
    expect(await end(first, READ)).toBe('conflict')
    expect(await end(second, { ...READ, manifestsRead: 2 })).toBe('none')
    expect((await waiting).result).toMatchObject({ manifestsRead: 2 })
  })

  test('is shared by replicas: of many who ask at once each gets others', async () => {
    const stop = new AbortController()
    const names = Array.from({ length: 12 }, (_, i) => `a/${i}`)
    const waiting = names.map((name) => ask().run(request(name), stop.signal))
    await queued(names.length)
    const { clock } = hub.accounts
    const { db } = hub.accounts.anotherProcess()
    const other = testRunnerService({ db, clock })
    const options = { begins: false, held: [], slots: 2, copies: 2, waitMs: 0, version: '1' }
    const taken = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 === 0 ? service : other).tasks.lease(runner, options),
      ),
    )
    // A row that somebody else looks at is passed over, so not all may be given out yet.
    const tasks = [...taken.flatMap((each) => each.tasks), ...(await lease(16))]
    expect(tasks.map(({ id }) => id).sort()).toEqual([...new Set(tasks.map(({ id }) => id))].sort())
    expect(tasks).toHaveLength(12)
    const ended = await Promise.all(
      tasks.flatMap((task) => [end(task, READ), codeOf(other.tasks.end(runner, task, READ))]),
    )
    expect(ended.filter((code) => code === 'none')).toHaveLength(12)
    await Promise.all(waiting)
    await db.close()
  })

  test('who asks again after a crash finds what was done meanwhile', async () => {
    const crash = new AbortController()
    const cut = ask().run(request('a/b'), crash.signal)
    const task = await leased()
    crash.abort(new Error('the hub ended'))
    expect(cut).rejects.toThrow('the hub ended')
    expect(await end(task, READ)).toBe('none')
    expect((await ask().run(request('a/b'))).result).toEqual(READ)
    expect(await lease()).toEqual([])
  })

  test('of another registry is another one, though who asks calls it the same', async () => {
    const crash = new AbortController()
    const cut = ask().run(request('a/b'), crash.signal)
    const former = await leased()
    crash.abort(new Error('the hub ended'))
    await expect(cut).rejects.toThrow('the hub ended')
    // Of a copy between two registries the other one may be at the runner meanwhile.
    await hub.registries.update(
      registry,
      { connectClusterId: 'local', secret: 'other' },
      { mayUsePrivate: true },
    )
    const { id } = await hub.add('other', { connectClusterId: 'east' })
    const waiting = ask().run({ ...request('a/b'), registry: id })
    const task = await leased()
    expect(task.registry.id).toBe(id)
    expect(await end(former, READ)).toBe('conflict')
    expect(await end(task, READ)).toBe('none')
    expect((await waiting).result).toEqual(READ)
  })

  test('what fails is thrown as it happened there, and may be asked for again', async () => {
    const waiting = ask().run(request('a/b'))
    const failure = { code: 'rate_limited', message: 'too much', retryAfter: 7 } as const
    const caught = waiting.catch((error: unknown) => error)
    expect(await end(await leased(), { kind: 'failed', failure })).toBe('none')
    expect(await caught).toMatchObject({ code: 'rate_limited', details: { retryAfter: 7 } })
    const again = ask().run(request('a/b'))
    expect(await end(await leased(), READ)).toBe('none')
    expect((await again).result).toEqual(READ)
  })

  test('goes back when it is released, and when the program begins anew', async () => {
    const waiting = ask().run(request('a/b'))
    const first = await leased()
    expect(await end(first, { kind: 'released' })).toBe('none')
    const second = await leased()
    expect(second.epoch).toBe(2)
    const [third] = await lease(1, runner, true)
    expect(third).toMatchObject({ id: first.id, epoch: 3 })
    if (third) expect(await end(third, READ)).toBe('none')
    await waiting
  })

  test('is nobody else’s: not of another runner, nor after the registry was given to one', async () => {
    const waiting = codeOf(ask().run(request('a/b')))
    await queued(1)
    const west = await addRunner(hub.accounts, 'west')
    const stranger = await service.access.authenticate(west.header)
    expect(await lease(4, stranger)).toEqual([])
    const task = await leased()
    expect(await end(task, READ, stranger)).toBe('conflict')
    expect(await service.tasks.hold(stranger, [task])).toEqual([task.id])
    const moved = { connectClusterId: 'west', secret: 'other' }
    await hub.registries.update(registry, moved, { mayUsePrivate: true })
    // What it was at when that happened is not heard either, and nobody waits for it.
    expect(await service.tasks.hold(runner, [task])).toEqual([task.id])
    expect(await end(task, READ)).toBe('conflict')
    expect(await waiting).toBe('unavailable')
    hub.accounts.pass(LEASE_MS + 1)
    expect(await lease(4)).toEqual([])
    expect(await lease(4, stranger)).toEqual([])
  })

  test('is waited for by a few requests of a runner and no more', async () => {
    const wait = async () => {
      const asked = { begins: false, held: [], slots: 1, copies: 1, version: '1' }
      return service.tasks.lease(runner, { ...asked, waitMs: 60_000 })
    }
    const polls = Array.from({ length: 5 }, wait)
    expect(await Promise.race(polls)).toEqual({ tasks: [], lost: [] })
    service.tasks.stop()
    await Promise.all(polls)
  })

  test('is a copy only where there is a place for one', async () => {
    const stop = new AbortController()
    const copy = {
      kind: 'copy' as const,
      direction: 'in' as const,
      source: { repository: 'a/b', reference: '1' },
      target: { repository: 'c/d', tag: '1' },
      platforms: [],
      index: 'keep' as const,
      referrers: true,
      overwrite: true,
    }
    const asks = [1, 2, 3].map((transfer) =>
      ask().run(
        { runner: 'east', registry, work: { ...copy, transfer }, key: `${transfer}` },
        stop.signal,
      ),
    )
    for (const each of asks) each.catch(() => {})
    await queued(3)
    const options = { begins: false, held: [], slots: 4, waitMs: 0, version: '1' }
    const lease = async (copies: number) =>
      (await service.tasks.lease(runner, { ...options, copies })).tasks.length
    expect(await lease(0)).toBe(0)
    expect(await lease(2)).toBe(2)
    const read = ask().run(request('a/b'), stop.signal)
    read.catch(() => {})
    await queued(4)
    expect(await lease(0)).toBe(1)
    expect(await lease(4)).toBe(1)
    stop.abort()
  })

  test('may reach a private address where somebody may have allowed it', async () => {
    const stop = new AbortController()
    const own = await hub.accounts.createProject('own')
    await addRunner(hub.accounts, 'scoped', own)
    const allowed = async (cluster: string, mayUsePrivate: boolean) => {
      const settings = { connectClusterId: cluster, projects: [own], secret: 'x' }
      const made = await hub.registries.create(
        {
          provider: 'harbor',
          address: 'http://10.0.0.7',
          origin: 'hss',
          createdBy: null,
          ...settings,
        },
        { mayUsePrivate },
      )
      const { db } = hub.accounts
      const waiting = ask().run(
        { runner: cluster, registry: made.id, work: { kind: 'check' }, key: made.id },
        stop.signal,
      )
      waiting.catch(() => {})
      await queued(1)
      const identity =
        cluster === 'east' ? runner : { ...runner, id: cluster, credential: await last() }
      const [task] = await lease(1, identity)
      await db.query.deleteFrom('runner_task').execute()
      return task?.registry.allowPrivate
    }
    const last = async () => {
      const rows = await hub.accounts.db.query
        .selectFrom('runner_credential')
        .select('id')
        .where('runner', '=', 'scoped')
        .execute()
      return rows[0]?.id ?? 0
    }
    expect(await allowed('east', true)).toBe(true)
    expect(await allowed('east', false)).toBe(false)
    expect(await allowed('scoped', false)).toBe(true)
    stop.abort()
  })

  test('takes no answer of another kind', async () => {
    const waiting = ask().run(request('a/b'))
    const task = await leased()
    expect(await end(task, { kind: 'listed' })).toBe('invalid_input')
    const page = { kind: 'repositories' as const, found: [{ name: 'x/y' }] }
    expect(await codeOf(service.tasks.page(runner, task, page))).toBe('invalid_input')
    expect(await end(task, READ)).toBe('none')
    await waiting
  })

  test('is not waited for when the runner is away, unenrolled, revoked or gone', async () => {
    hub.accounts.pass(61_000)
    expect(ask().run(request('a/b'))).rejects.toThrow('was last heard of at')
    await service.runners.create({ id: 'new', project: null, createdBy: null })
    expect(ask().run({ ...request('a/b'), runner: 'new' })).rejects.toThrow('not enrolled')
    await service.runners.revoke('east')
    expect(ask().run(request('a/b'))).rejects.toThrow('revoked')
    expect(ask().run({ ...request('a/b'), runner: 'none' })).rejects.toThrow('no runner')
  })
})
