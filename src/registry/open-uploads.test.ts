import { afterEach, expect, test } from 'bun:test'
import { failureOf } from '../lib/test-failure.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { createTestRegistry, nameOf, ownerOf, type TestRegistry } from './test-registry.ts'

const LIMIT = 16

onEachEngine('a limit on open uploads', (create) => {
  let registry: TestRegistry
  afterEach(() => registry.remove())

  const anonymous = { repository: nameOf('team/app'), account: null }
  const openAll = async (
    { uploads }: TestRegistry['first'],
    owner = ownerOf('team/app', 7),
  ): Promise<string[]> => {
    const ids: string[] = []
    for (;;) {
      try {
        ids.push((await uploads.start(owner)).id)
      } catch {
        return ids
      }
      if (ids.length > 10 * LIMIT) throw new Error('there is no limit')
    }
  }

  test('is told with its number, and an upload that ends makes place for another', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { first } = registry
    const owner = ownerOf('team/app', 7)
    const [one = '', ...others] = await openAll(first)
    expect(others).toHaveLength(LIMIT - 1)
    const refused = await failureOf(first.uploads.start(owner))
    expect(refused).toMatchObject({ code: 'rate_limited', retryAfter: 60 })
    expect(refused.message).toContain(`this account has already ${LIMIT} uploads open`)

    await first.uploads.cancel(one, owner)
    await first.uploads.start(owner)
    expect((await failureOf(first.uploads.start(owner))).code).toBe('rate_limited')
    // Others are not held back by it, and those without a name count as one.
    await first.uploads.start({ ...owner, account: 4711 })
    expect(await openAll(first, anonymous)).toHaveLength(LIMIT)
    expect((await failureOf(first.uploads.start(anonymous))).message).toContain('did not sign in')
  })

  test('holds for many that come at once', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { uploads } = registry.first
    const starts = Array.from({ length: 10 * LIMIT }, () => uploads.start(ownerOf('team/app', 7)))
    const opened = (await Promise.allSettled(starts)).filter(({ status }) => status === 'fulfilled')
    expect(opened).toHaveLength(LIMIT)
  })

  test('holds for several processes together, but for a little', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const processes = [registry.first, registry.anotherProcess(), registry.anotherProcess()]
    const opened = await Promise.all(processes.map((one) => openAll(one)))
    expect(opened.flat().length).toBeGreaterThanOrEqual(LIMIT)
    expect(opened.flat().length).toBeLessThanOrEqual(2 * LIMIT)
  })

  test('what nobody goes on with gives way, what is going on does not', async () => {
    registry = await createTestRegistry(create, { openUploadsPerAccount: LIMIT })
    const { first } = registry
    const owner = ownerOf('team/app', 7)
    const [kept = ''] = await openAll(first)
    registry.pass(3_600_001)
    await first.uploads.append(
      kept,
      owner,
      (async function* () {
        yield new Uint8Array([1])
      })(),
    )
    await first.uploads.start(owner)
    expect(await first.uploads.status(kept, owner)).toEqual({ offset: 1 })
    expect(await openAll(first)).toHaveLength(LIMIT - 2)
  })
})
