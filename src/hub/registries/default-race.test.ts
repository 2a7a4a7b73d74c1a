import { expect, test } from 'bun:test'
import { testSealer } from '../../accounts/test-accounts.ts'
import { isAppError } from '../../lib/errors.ts'
import type { Db } from '../../store/db/database.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createRegistries, type Registries } from './registries.ts'
import { BY_ADMIN, createTestRegistries } from './test-registries.ts'

/*
 * Two administrators at two processes promote, add and delete at once, 500 times each; a third
 * process looks on all the while. Whatever happens, there is one default whenever one could be
 * elected, and none otherwise.
 */

const ROUNDS = 500

interface Seen {
  defaults: number
  electable: number
}

/** The same numbers in every run, so that a failure comes again. */
function createChance(seed: number) {
  let state = seed
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

async function administer(registries: Registries, name: string, seed: number): Promise<string[]> {
  const chance = createChance(seed)
  const done: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const all = await registries.list({})
    const pick = all[chance(all.length)]
    const present = all.find(({ isDefault }) => isDefault)
    const act = async (): Promise<string> => {
      // Few at a time, so that the last one is often at stake.
      if (!pick || (all.length < 5 && chance(3) === 0)) {
        const origin = chance(4) === 0 ? 'hss' : 'api'
        const isDefault = origin === 'api' && chance(2) === 0
        const address = `https://${name}-${round}.example.com`
        const input = { provider: 'harbor', address, origin, isDefault, createdBy: null } as const
        await registries.create(input, BY_ADMIN)
        return 'created'
      }
      switch (chance(4)) {
        case 0:
          await registries.promote(pick.id)
          return 'promoted'
        case 1:
          await registries.update(pick.id, { isDefault: chance(2) === 0 }, BY_ADMIN)
          return 'updated'
        case 2:
          await registries.remove((present ?? pick).id, { successor: pick.id })
          return 'deleted with a successor'
        default:
          await registries.remove((present ?? pick).id, {})
          return 'deleted'
      }
    }
    try {
      done.push(await act())
    } catch (error) {
      // Gone meanwhile, or the rule said no.
      if (!isAppError(error, 'not_found', 'invalid_input')) throw error
      done.push('refused')
    }
  }
  return done
}

/** One statement, so that it sees one moment. */
async function look(db: Db): Promise<Seen> {
  const row = await db.query
    .selectFrom('registry as r')
    .leftJoin('registry_default as d', 'd.registry', 'r.id')
    .select((eb) => [
      eb.fn.count<number>('d.registry').as('defaults'),
      eb.fn.sum<number>('r.electable').as('electable'),
    ])
    .executeTakeFirstOrThrow()
  return { defaults: Number(row.defaults), electable: Number(row.electable ?? 0) }
}

onEachEngine('two administrators', (create) => {
  test('leave one default at every moment', async () => {
    const t = await createTestRegistries(create)
    try {
      const { clock } = t.accounts
      const colleague = createRegistries({
        db: t.accounts.anotherProcess().db,
        clock,
        sealer: testSealer,
      })
      const reader = t.accounts.anotherProcess().db
      let finished = false
      const wrong: Seen[] = []
      let looks = 0
      const watching = (async () => {
        while (!finished) {
          const seen = await look(reader)
          if (seen.defaults !== (seen.electable > 0 ? 1 : 0)) wrong.push(seen)
          looks++
          await Bun.sleep(1)
        }
      })()
      const done = await Promise.all([
        administer(t.registries, 'ann', 1),
        administer(colleague, 'ben', 2),
      ]).finally(() => {
        finished = true
      })
      await watching
      expect(wrong).toEqual([])
      expect(looks).toBeGreaterThan(100)
      // That all of it happened, many times.
      const count = (what: string) => done.flat().filter((each) => each === what).length
      const kinds = ['created', 'promoted', 'updated', 'deleted with a successor', 'deleted']
      for (const kind of [...kinds, 'refused']) {
        expect([kind, count(kind) > 10]).toEqual([kind, true])
      }
    } finally {
      await t.remove()
    }
  }, 120_000)
})
