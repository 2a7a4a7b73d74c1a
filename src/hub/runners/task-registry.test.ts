import { afterEach, beforeEach, expect, test } from 'bun:test'
import { onEachEngine } from '../../store/db/test-databases.ts'
import {
  BY_ADMIN,
  createTestRegistries,
  PLANTED,
  type TestRegistries,
} from '../registries/test-registries.ts'
import { taskRegistryOf } from './task-registry.ts'
import { addTask, leaseTasks } from './tasks.ts'
import { addRunner } from './test-runner.ts'

const NO_LOGIN = { accessKey: '', secret: undefined }

onEachEngine('a registry as a runner is told of it', (create) => {
  let hub: TestRegistries
  beforeEach(async () => {
    hub = await createTestRegistries(create)
    await addRunner(hub.accounts, 'east')
    await addRunner(hub.accounts, 'west')
  })
  afterEach(() => hub.remove())

  const told = async (id: string, runner = 'east') => {
    const found = await taskRegistryOf(hub.accounts.db.query, id, runner)
    return found && { hasSecret: found.secret !== null, allowPrivate: found.allowPrivate }
  }

  test('is its own, or one without a password', async () => {
    const own = await hub.add('own', { connectClusterId: 'east' })
    const foreign = await hub.add('foreign', { connectClusterId: 'west' })
    const shut = await hub.add('shut')
    const open = await hub.add('open', NO_LOGIN)
    expect(await told(own.id)).toEqual({ hasSecret: true, allowPrivate: true })
    expect(await told(foreign.id)).toBeUndefined()
    expect(await told(shut.id)).toBeUndefined()
    // The address that an administrator named is one of the network of the hub.
    expect(await told(open.id)).toEqual({ hasSecret: false, allowPrivate: false })
    const project = await hub.accounts.createProject('shop')
    await addRunner(hub.accounts, 'shops', project)
    expect(await told(open.id, 'shops')).toEqual({ hasSecret: false, allowPrivate: true })
  })

  test('a copy between two is given out with both, while both are for the runner', async () => {
    const { db, clock } = hub.accounts
    const own = await hub.add('own', { connectClusterId: 'east' })
    const open = await hub.add('open', NO_LOGIN)
    const ask = (key: string) =>
      db.transaction((tx) =>
        addTask(
          tx,
          {
            ...{ runner: 'east', registry: own.id, key, wantedUntil: clock() + 60_000 },
            work: {
              ...{ kind: 'copy', transfer: 1, direction: 'out', other: open.id, platforms: [] },
              ...{ index: 'keep', referrers: true, overwrite: true },
              source: { repository: 'a/b', reference: '1' },
              target: { repository: 'a/b', tag: '1' },
            },
          },
          clock(),
        ),
      )
    const { id: credential } = await db.query
      .selectFrom('runner_credential')
      .select('id')
      .where('runner', '=', 'east')
      .executeTakeFirstOrThrow()
    const lease = () =>
      leaseTasks({ db, clock }, { id: 'east', credential }, { slots: 4, copies: 4 })
    await ask('one')
    const [task] = await lease()
    expect(task?.registry).toMatchObject({ id: own.id, secret: expect.stringContaining('.') })
    expect(task?.other).toMatchObject({ id: open.id, secret: null })
    expect(task?.work).toMatchObject({ direction: 'out', other: open.id })
    await hub.registries.update(open.id, { accessKey: 'ci', secret: PLANTED }, BY_ADMIN)
    await ask('two')
    expect(await lease()).toEqual([])
  })
})
