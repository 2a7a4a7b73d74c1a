import { expect, test } from 'bun:test'
import { findImages } from '../src/hub/inventory/images.ts'
import { createMigrated, onEachEngine } from '../src/store/db/test-databases.ts'
import { fillInventory, inventoryPaths } from './inventory-rows.ts'

onEachEngine('an inventory to be measured', (create) => {
  test('has its images where searches and filters look for them', async () => {
    const { db, test: made } = await createMigrated(create)
    try {
      await fillInventory(db, 2_000)
      const registries = (await db.query.selectFrom('registry').select('id').execute()).map(
        ({ id }) => id,
      )
      const total = async (filter: object) =>
        (await findImages(db, { registries, limit: 10, ...filter })).total
      expect(registries).toHaveLength(5)
      expect(await total({})).toBe(2_000)
      expect(await total({ search: 'service' })).toBe(2_000)
      expect(await total({ search: 'service-3' })).toBe(250)
      expect(await total({ imageNameHas: 'service-3' })).toBe(250)
      expect(await total({ search: 'team-3/' })).toBe(250)
      expect(await total({ namespace: 'team-7' })).toBe(250)
      expect(await total({ tag: '1.1-7919' })).toBe(5)
      expect(await total({ isLatest: true })).toBe(40)
    } finally {
      await made.remove()
    }
  })
})

test('pages are asked for by the REST API', () => {
  for (const ask of ['filter', 'search'] as const) {
    for (const path of inventoryPaths(ask)) expect(path).toStartWith('/api/v1/images?limit=50')
  }
})
