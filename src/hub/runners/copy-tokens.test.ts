import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createAccountStates } from '../../accounts/account-states.ts'
import { codeOf, SERVICE } from '../../accounts/test-accounts.ts'
import { createProjects } from '../../registry/projects.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestRegistries, type TestRegistries } from '../registries/test-registries.ts'
import { createCopyTokens, type IssueCopyToken } from './copy-tokens.ts'
import { createRunners } from './runners.ts'
import { addRunner } from './test-runner.ts'

onEachEngine('the token of a copy', (create) => {
  let hub: TestRegistries
  let issue: IssueCopyToken
  let registry: string
  let project: number
  let maria: number
  beforeEach(async () => {
    hub = await createTestRegistries(create)
    const { db, clock, authorizer, registryTokens, createUser, createProject } = hub.accounts
    await addRunner(hub.accounts, 'edge')
    registry = (await hub.add('far', { connectClusterId: 'edge' })).id
    maria = await createUser('maria')
    project = await createProject('shop')
    await hub.accounts.members.put(project, maria, 'developer')
    issue = createCopyTokens({
      db,
      clock,
      tokens: registryTokens,
      access: { authorizer, projects: createProjects({ db, clock }), registries: hub.registries },
      service: SERVICE,
    })
  })
  afterEach(() => hub.remove())

  async function transfer(direction: 'in' | 'out' | 'between', finished: number | null = null) {
    const far = { registry, name: 'far', repository: 'team/app' }
    const own = { registry: null, name: 'self', repository: 'shop/app' }
    const [from, to] = { in: [far, own], out: [own, far], between: [far, far] }[direction]
    if (!from || !to) throw new Error('no ends')
    const { id } = await hub.accounts.db.query
      .insertInto('transfer')
      .values({
        project,
        source_registry: from.registry,
        source_name: from.name,
        source_repository: from.repository,
        source_reference: '1',
        target_registry: to.registry,
        target_name: to.name,
        target_repository: to.repository,
        target_tag: '1',
        options: '{"platforms":[],"index":"keep","referrers":true,"overwrite":true}',
        requested_by: maria,
        requested_by_name: 'maria',
        created_at: 1,
        updated_at: 1,
        finished_at: finished,
      })
      .returning('id')
      .executeTakeFirstOrThrow()
    return id
  }
  const claims = async (id: number) =>
    hub.accounts.registryTokens.verify((await issue(id, registry, 1)).token, SERVICE)

  test('is for one repository, to push only where it is the target', async () => {
    const grant = { type: 'repository', name: 'shop/app', project }
    expect(await claims(await transfer('in'))).toMatchObject({
      account: maria,
      access: [{ ...grant, actions: ['pull', 'push'] }],
    })
    const out = await claims(await transfer('out'))
    expect(out.access).toEqual([
      { type: 'repository', name: 'shop/app', actions: ['pull'], project },
    ])
    expect(out.expiresAt - hub.accounts.clock()).toBeLessThanOrEqual(600_000)
  })

  test('falls when the runner holds the copy no more, as when it is revoked', async () => {
    const { db, clock, registryTokens, pass } = hub.accounts
    const work = { kind: 'copy', runner: 'edge', registry, payload: '{}', created_at: 1 } as const
    const rows = ['a', 'b'].map((key) => ({ ...work, unique_key: key, wanted_until: clock() }))
    const tasks = await db.query
      .insertInto('runner_task')
      .values(rows.map((row) => ({ ...row, state: 'leased' as const })))
      .returning('id')
      .execute()
    const open = await transfer('in')
    const states = createAccountStates({ db, clock })
    const held = await Promise.all(
      tasks.map(async ({ id }) => {
        const { token } = await issue(open, registry, id)
        const { account, epoch, credential } = await registryTokens.verify(token, SERVICE)
        expect(credential).toEqual({ kind: 'runner-task', id })
        return async () => (await states.read(account ?? 0, epoch, credential)) !== undefined
      }),
    )
    const all = () => Promise.all(held.map((each) => each()))
    expect(await all()).toEqual([true, true])
    await db.query
      .updateTable('runner_task')
      .set({ state: 'done' })
      .where('id', '=', tasks[0]?.id ?? 0)
      .execute()
    pass(6_000)
    expect(await all()).toEqual([false, true])
    await createRunners({ db, clock }).revoke('edge')
    pass(6_000)
    expect(await all()).toEqual([false, false])
  })

  test('is refused when the copy is over, another one, or not allowed any more', async () => {
    const open = await transfer('in')
    expect(await codeOf(issue(await transfer('in', 5), registry, 1))).toBe('conflict')
    expect(await codeOf(issue(999_999, registry, 1))).toBe('conflict')
    // As a program asks that is older than such copies.
    expect(await codeOf(issue(await transfer('between'), registry, 1))).toBe('denied')
    const other = (await hub.add('other')).id
    expect(await codeOf(issue(open, other, 1))).toBe('conflict')
    await hub.accounts.members.remove(project, maria)
    hub.accounts.pass(6_000)
    expect(await codeOf(issue(open, registry, 1))).toBe('denied')
  })
})
