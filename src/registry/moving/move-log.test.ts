import { expect, test } from 'bun:test'
import { codeOf } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { openMoveLog } from './move-log.ts'

onEachEngine('the log of a move', (create) => {
  test('is written by the move that opened it last', async () => {
    const database = await create()
    try {
      const db = database.open()
      const progress = { after: [1], rows: 1, isDone: false }
      const first = await openMoveLog(db, 'one')
      await db.transaction((tx) => first.noteTable(tx, 'tag', progress))
      const second = await openMoveLog(db, 'one')
      const codes = await Promise.all([
        codeOf(db.transaction((tx) => first.noteTable(tx, 'tag', { ...progress, rows: 2 }))),
        codeOf(db.transaction((tx) => first.set(tx, 'begun', 'yes'))),
        codeOf(db.transaction((tx) => first.drop(tx))),
        codeOf(first.startOver()),
      ])
      expect(codes).toEqual(['conflict', 'conflict', 'conflict', 'conflict'])
      expect(await second.table('tag')).toEqual(progress)
      await db.transaction((tx) => second.noteTable(tx, 'tag', { ...progress, isDone: true }))
      expect(await second.table('tag')).toMatchObject({ isDone: true })
      await db.transaction((tx) => second.drop(tx))
      expect(await codeOf(openMoveLog(db, 'one'))).toBe('none')
    } finally {
      await database.remove()
    }
  })
})
