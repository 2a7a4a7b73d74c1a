import { afterEach, beforeEach, expect, test } from 'bun:test'
import { sql } from 'kysely'
import type { Db } from '../store/db/database.ts'
import { createMigrated, onEachEngine, type TestDatabase } from '../store/db/test-databases.ts'
import { type AuditEntry, type AuditPosition, auditQuery, listAudit, writeAudit } from './audit.ts'

const entry: AuditEntry = {
  at: 1000,
  actor: { account: 7, name: 'alice' },
  action: 'tag.delete',
  project: 3,
  resource: 'payments/api:1.2',
  address: '192.0.2.1',
  requestId: 'r1',
  details: { tag: '1.2', digest: 'sha256:ab' },
}

onEachEngine('audit', (create) => {
  let database: TestDatabase
  let db: Db

  beforeEach(async () => {
    const migrated = await createMigrated(create)
    database = migrated.test
    db = migrated.db
  })

  afterEach(() => database.remove())

  const write = (...entries: Partial<AuditEntry>[]) =>
    db.transaction(async (tx) => {
      for (const more of entries) await writeAudit(tx, { ...entry, ...more })
    })

  test('an entry comes with its change, or not at all', async () => {
    const failed = db.transaction(async (tx) => {
      await writeAudit(tx, entry)
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    await write({})
    const { items, next } = await listAudit(db.query)
    expect(items).toEqual([
      {
        id: items[0]?.id ?? 0,
        at: 1000,
        account: 7,
        accountName: 'alice',
        action: 'tag.delete',
        project: 3,
        resource: 'payments/api:1.2',
        address: '192.0.2.1',
        requestId: 'r1',
        details: { tag: '1.2', digest: 'sha256:ab' },
      },
    ])
    expect(next).toBeUndefined()
  })

  test('a field that is not one of the details is not written', async () => {
    const account = { name: 'alice', password: 'hunter2', secret: 'ent_abc' }
    await write({ details: account })
    const { items } = await listAudit(db.query)
    expect(items[0]?.details).toEqual({ name: 'alice' })
  })

  test('lists by account, project, action and time', async () => {
    await write(
      { at: 1, resource: 'a' },
      { at: 2, resource: 'b', actor: { account: null, name: 'system' } },
      { at: 3, resource: 'c', project: null },
      { at: 4, resource: 'd', action: 'tag.create' },
    )
    const found = async (filter: Parameters<typeof listAudit>[1]) =>
      (await listAudit(db.query, filter)).items.map((item) => item.resource).join('')
    expect(await found({})).toBe('dcba')
    expect(await found({ account: 7 })).toBe('dca')
    expect(await found({ project: 3 })).toBe('dba')
    expect(await found({ action: 'tag.delete' })).toBe('cba')
    expect(await found({ since: 2, until: 4 })).toBe('cb')
    expect(await found({ account: 7, project: 3, action: 'tag.delete' })).toBe('a')
  })

  test('pages go on where the one before ended, also within one millisecond', async () => {
    await write(...Array.from({ length: 7 }, (_, i) => ({ at: i < 5 ? 10 : 20, resource: `${i}` })))
    const pages: string[] = []
    let after: AuditPosition | undefined
    do {
      const page = await listAudit(db.query, { limit: 3, project: 3, ...(after && { after }) })
      pages.push(page.items.map((item) => item.resource).join(''))
      after = page.next
    } while (after)
    expect(pages).toEqual(['654', '321', '0'])
  })

  test('each filter has its index, and none sorts', async () => {
    await write({})
    for (let i = 0; i < 12; i++) {
      await sql`insert into audit (at, account, account_name, action, project, resource, address,
          request_id, details)
        select at + ${i * 5000}, account + ${i}, account_name, action || ${`${i}`}, project + ${i},
          resource, address, request_id, details from audit`.execute(db.query)
    }
    if (db.engine.name === 'postgres') await sql`analyze audit`.execute(db.query)
    const after = { at: 30_000, id: 1 }
    for (const [filter, index] of [
      [{ after }, 'audit_at'],
      [{ account: 40, after }, 'audit_account'],
      [{ project: 40, after }, 'audit_project'],
      [{ action: 'tag.delete0', after }, 'audit_action'],
    ] as const) {
      const query = auditQuery(db.query, filter).limit(5)
      const plan =
        db.engine.name === 'sqlite'
          ? await query.explain(undefined, sql`query plan`)
          : await query.explain('text')
      const text = JSON.stringify(plan)
      expect(text).toContain(index)
      expect(text).not.toMatch(/SCAN audit"|Seq Scan|TEMP B-TREE|Sort/)
    }
  })
})
