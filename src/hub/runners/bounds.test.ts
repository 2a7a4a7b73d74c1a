import { expect, test } from 'bun:test'
import { createMigrated } from '../../store/db/test-databases.ts'
import { createPace, demandWithin } from './bounds.ts'

test('a runner that calls too often is told when to come again; others are not held up', () => {
  let now = 0
  const pace = createPace(() => now, { perSecond: 10, atOnce: 20 })
  for (let i = 0; i < 20; i++) pace('edge-1')
  expect(() => pace('edge-1')).toThrow('10 calls a second')
  pace('edge-2')
  now += 100
  pace('edge-1')
  expect(() => pace('edge-1')).toThrow('10 calls a second')
  now += 3_600_000
  for (let i = 0; i < 20; i++) pace('edge-1')
  expect(() => pace('edge-1')).toThrow('10 calls a second')
})

test('more repositories, tags or images than any registry has are not taken', async () => {
  const { db, test: database } = await createMigrated()
  try {
    const most = { repositories: 10, tags: 20, images: 50 }
    const list = { kind: 'list', sync: 1 } as const
    await demandWithin(db.query, { work: list, entries: 10 }, most)
    expect(demandWithin(db.query, { work: list, entries: 11 }, most)).rejects.toThrow(
      'more than 10 repositories',
    )
    await db.query
      .insertInto('registry')
      .values({
        ...{
          id: '1',
          name: 'far',
          provider: 'native',
          address: 'https://a.example',
          origin: 'api',
        },
        ...{ all_projects: 1, electable: 0, created_at: 1, updated_at: 1 },
      })
      .execute()
    const { id: sync } = await db.query
      .insertInto('image_sync')
      .values({ task: '1', registry: '1', trigger: 'manual', created_at: 1, images: 40 })
      .returning('id')
      .executeTakeFirstOrThrow()
    const read = { kind: 'read', sync, repository: 'team/app' } as const
    await demandWithin(db.query, { work: read, entries: 10 }, most)
    expect(demandWithin(db.query, { work: read, entries: 11 }, most)).rejects.toThrow(
      'more than 50 images of one registry',
    )
    const other = { ...read, sync: 0 }
    await demandWithin(db.query, { work: other, entries: 20 }, most)
    expect(demandWithin(db.query, { work: other, entries: 21 }, most)).rejects.toThrow(
      'more than 20 tags',
    )
  } finally {
    await database.remove()
  }
})
