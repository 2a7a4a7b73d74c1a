import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { codeOf } from '../../../accounts/test-accounts.ts'
import { createSqliteTest } from '../../../store/db/test-databases.ts'
import { imageOf, nameOf, noise, pushImage } from '../../test-registry.ts'
import { createTestRebuild, type TestRebuild } from './test-rebuild.ts'
import { stateOf } from './test-state.ts'

const at = fc.constantFrom('one/app', 'one/lib/deep', 'two/app')
const image = fc.nat(3)
const tag = fc.constantFrom('latest', 'v1', 'v2')
const operation = fc.oneof(
  fc.record({ what: fc.constant('push' as const), at, image, tag }),
  fc.record({ what: fc.constant('push' as const), at, image, tag }),
  fc.record({ what: fc.constant('remove tag' as const), at, tag }),
  fc.record({ what: fc.constant('remove manifest' as const), at, image }),
  fc.record({ what: fc.constant('remove blob' as const), at, image }),
  fc.record({ what: fc.constant('remove repository' as const), at }),
  fc.record({ what: fc.constant('protect' as const), at, tag, on: fc.boolean() }),
  fc.record({ what: fc.constant('describe' as const), at }),
  fc.record({ what: fc.constant('write' as const) }),
  fc.record({ what: fc.constant('write anew' as const) }),
)
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

const LAYERS = [noise(3, 1), noise(900, 2), noise(5_000, 3), noise(7_000, 4)]
const blobsOf = (i: number) => [LAYERS[i] ?? noise(0), LAYERS[(i + 1) % 4] ?? noise(0)]

/** Does it, whether it can be done or not. */
async function apply({ registry, writeJournal }: TestRebuild, op: Operation): Promise<void> {
  const process = registry.first
  const { db } = process
  switch (op.what) {
    case 'push':
      await codeOf(pushImage(process, op.at, blobsOf(op.image), { tag: op.tag }))
      return
    case 'remove tag':
      await codeOf(process.tags.remove(nameOf(op.at), op.tag, null))
      return
    case 'remove manifest': {
      const { digest } = imageOf(blobsOf(op.image))
      await codeOf(process.manifests.remove(nameOf(op.at), digest, null))
      return
    }
    case 'remove blob': {
      const digest = imageOf(blobsOf(op.image)).digest
      await codeOf(process.blobs.remove(nameOf(op.at), digest))
      return
    }
    case 'remove repository':
      await codeOf(
        db.transaction((tx) => process.repositories.remove(tx, nameOf(op.at), null, 'test')),
      )
      return
    case 'protect':
      await codeOf(process.tags.protect(nameOf(op.at), op.tag, op.on))
      return
    case 'describe':
      await codeOf(
        db.transaction((tx) =>
          process.repositories.update(tx, nameOf(op.at), { summary: String(Math.random()) }),
        ),
      )
      return
    case 'write anew':
      await db.transaction((tx) =>
        tx.updateTable('journal_head').set({ change_objects: 1_000_000 }).execute(),
      )
      await writeJournal()
      return
    case 'write':
      await writeJournal()
  }
}

describe('rebuild after anything', () => {
  let rebuilt: TestRebuild

  setDefaultTimeout(60_000)
  beforeEach(async () => {
    rebuilt = await createTestRebuild(createSqliteTest)
  })
  afterEach(() => rebuilt.remove())

  test('whatever was done, the rebuilt registry is the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 10, maxLength: 30 }),
        async (operations) => {
          for (const op of operations) await apply(rebuilt, op)
          await rebuilt.writeJournal()
          const db = await rebuilt.emptyDatabase()
          expect((await rebuilt.run(db)).lost).toBe(0)
          expect(await stateOf(db)).toEqual(await stateOf(rebuilt.registry.first.db))
          expect(await rebuilt.problemsOf(db)).toEqual([])
        },
      ),
      { numRuns: 6 },
    )
  })
})
