import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { codeOf } from '../../../accounts/test-accounts.ts'
import type { Db } from '../../../store/db/database.ts'
import { createSqliteTest, onEachEngine } from '../../../store/db/test-databases.ts'
import { decodeObject, encodeObject } from '../../../store/journal/journal-object.ts'
import type { TestJournalStore } from '../../../store/journal/test-journal-store.ts'
import { imageOf, noise, pushImage, type TestRegistry } from '../../test-registry.ts'
import { createTestRebuild, fill, type TestRebuild } from './test-rebuild.ts'
import { stateOf } from './test-state.ts'

onEachEngine('rebuild', (create) => {
  let registry: TestRegistry
  let journal: TestJournalStore
  let { writeJournal, emptyDatabase, run, problemsOf, remove } = {} as TestRebuild

  beforeEach(async () => {
    ;({ registry, journal, writeJournal, emptyDatabase, run, problemsOf, remove } =
      await createTestRebuild(create))
  })
  afterEach(() => remove())

  test('makes the same registry again, with the same ids', async () => {
    const { first } = registry
    await fill(first)
    await writeJournal()
    await pushImage(first, 'team/late', [noise(500, 7)], { tag: 'late' })
    await writeJournal()
    const db = await emptyDatabase()
    const { sentences, damage, counts, unnamed } = await run(db)
    expect([sentences, damage]).toEqual([[], []])
    expect(counts.tag).toBe(5)
    // Of what is in the trash.
    expect(unnamed.count).toBe(0)
    expect(await problemsOf(db)).toEqual([])
    expect(await stateOf(db)).toEqual(await stateOf(first.db))
    const change = await db.query.selectFrom('journal_head').selectAll().executeTakeFirstOrThrow()
    expect(change.replaces).not.toBeNull()

    // The next rows get ids of their own, and the new journal takes the place of the old one.
    const other = registry.anotherProcess({ db: () => db })
    await pushImage(other, 'team/app', [noise(12, 1)], { tag: 'next' })
    await pushImage(other, 'new/app', [noise(13, 1)], { tag: 'next' })
    expect(await problemsOf(db)).toEqual([])
    await writeJournal(db)
    expect(new Set([...journal.objects.keys()].map((name) => name.split('/')[0])).size).toBe(1)
    const again = await emptyDatabase()
    await run(again)
    expect(await stateOf(again)).toEqual(await stateOf(db))
  })
})

onEachEngine('two rebuilds of one database', (create) => {
  let rebuilt: TestRebuild
  beforeEach(async () => {
    rebuilt = await createTestRebuild(create)
  })
  afterEach(() => rebuilt.remove())

  test('the one that began first writes nothing any more', async () => {
    const { registry, run, emptyDatabase, writeJournal } = rebuilt
    await fill(registry.first)
    await writeJournal()
    const db = await emptyDatabase()
    let transactions = 0
    const slow: Db = {
      ...db,
      async transaction(work, options) {
        if (++transactions === 4) await run(db)
        return db.transaction(work, options)
      },
    }
    expect(await codeOf(run(slow))).toBe('conflict')
    expect(transactions).toBe(4)
    expect(await stateOf(db)).toEqual(await stateOf(registry.first.db))
    const left = db.query.selectFrom('setting').select('key').where('key', 'like', 'rebuild.%')
    expect(await left.execute()).toEqual([])
  })
})

describe('rebuild, on any engine', () => {
  let registry: TestRegistry
  let journal: TestJournalStore
  let { writeJournal, emptyDatabase, run, problemsOf, remove } = {} as TestRebuild

  beforeEach(async () => {
    ;({ registry, journal, writeJournal, emptyDatabase, run, problemsOf, remove } =
      await createTestRebuild(createSqliteTest))
  })
  afterEach(() => remove())

  test('goes on after it was cut off in the middle', async () => {
    await fill(registry.first)
    await writeJournal()
    const db = await emptyDatabase()
    for (let limit = 2; ; limit += 4) {
      let transactions = 0
      const dying: Db = {
        ...db,
        transaction(work, options) {
          if (++transactions > limit) throw new Error('killed')
          return db.transaction(work, options)
        },
      }
      const ended = await run(dying).then(
        () => true,
        (error: Error) => {
          expect(error.message).toBe('killed')
          return false
        },
      )
      if (ended) break
    }
    expect(await stateOf(db)).toEqual(await stateOf(registry.first.db))
    expect(await problemsOf(db)).toEqual([])
  })

  test('a dry run tells the same and writes nothing', async () => {
    await fill(registry.first)
    await writeJournal()
    const { counts, lost } = await run(undefined)
    expect(lost).toBe(0)
    expect(counts).toEqual((await run(await emptyDatabase())).counts)
  })

  test('refuses a database that has something, and one that another rebuild began', async () => {
    await fill(registry.first)
    await writeJournal()
    expect(await codeOf(run(registry.first.db))).toBe('conflict')
    const db = await emptyDatabase()
    await db.transaction((tx) =>
      tx.insertInto('setting').values({ key: 'rebuild.journal', value: 'other' }).execute(),
    )
    expect(await codeOf(run(db))).toBe('conflict')
  })

  test('tells by name what has no bytes, and brings back the rest', async () => {
    const { first } = registry
    await fill(first)
    await writeJournal()
    const { storage_key: key } = await first.db.query
      .selectFrom('content')
      .select('storage_key')
      .where('sha256', '=', Bun.CryptoHasher.hash('sha256', noise(9_000, 2), 'hex'))
      .executeTakeFirstOrThrow()
    await registry.store.remove([key ?? ''])
    const stray = registry.store.newKey()
    const appender = await registry.store.append(stray, { offset: 0, state: null })
    await appender.write(noise(10))
    await registry.store.complete(stray, await appender.checkpoint({ isLast: true }))
    await appender.close()

    const db = await emptyDatabase()
    const { sentences, unnamed } = await run(db)
    const app = imageOf([noise(500, 1), noise(9_000, 2)])
    expect(sentences).toHaveLength(3)
    expect(sentences[0]).toStartWith('blob team/app@sha256:')
    expect(sentences[0]).toContain('not in the store')
    expect(sentences[1]).toStartWith(`manifest team/app@${app.digest}: its blob sha256:`)
    expect(sentences[2]).toBe(`tag team/app:v1: its manifest ${app.digest} is not there`)
    expect(unnamed).toEqual({ count: 1, bytes: 10, keys: [stray] })
    expect(await problemsOf(db)).toEqual([])
  })

  test('deep: finds bytes that are others, also of sha512 names', async () => {
    const { first } = registry
    await fill(first)
    await writeJournal()
    const { storage_key: key } = await first.db.query
      .selectFrom('content')
      .select('storage_key')
      .where('sha256', '=', Bun.CryptoHasher.hash('sha256', noise(6_000, 4), 'hex'))
      .executeTakeFirstOrThrow()
    const appender = await registry.store.append(key ?? '', { offset: 0, state: null })
    await appender.write(noise(6_000, 5))
    await appender.checkpoint()
    await appender.close()
    expect((await run(undefined, { deep: false })).lost).toBe(0)
    const { sentences } = await run(undefined)
    expect(sentences).toHaveLength(1)
    expect(sentences[0]).toMatch(/^blob team\/app@sha512:.*others$/)
  })

  test('refuses a damaged journal, unless asked for what can be read', async () => {
    const { first } = registry
    await fill(first)
    await writeJournal()
    for (const i of [1, 2, 3]) {
      await pushImage(first, 'team/app', [noise(500, i)], { tag: `n${i}` })
      await writeJournal()
    }
    const names = [...journal.objects.keys()].filter((name) => name.endsWith('.changes'))
    const [missing = '', , damaged = ''] = names
    journal.objects.delete(missing)
    const bytes = journal.objects.get(damaged)
    if (bytes) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const db = await emptyDatabase()
    expect(await codeOf(run(db))).toBe('conflict')
    const { damage } = await run(db, { partial: true })
    expect(damage.map((sentence) => sentence.replace(/[0-9a-f]{16}/, '…')).sort()).toEqual([
      expect.stringMatching(/^journal object number \d+ is missing$/),
      expect.stringContaining('.changes is damaged: its checksum'),
    ])
    expect(await problemsOf(db)).toEqual([])
    const tags = await db.query.selectFrom('tag').select('name').orderBy('name').execute()
    expect(tags.map(({ name }) => name)).toContain('n2')
  })

  test('takes no names that nobody could give, and no records that are none', async () => {
    await fill(registry.first)
    await writeJournal()
    const [name = ''] = [...journal.objects.keys()].filter((each) => each.endsWith('.page'))
    const object = decodeObject(name, journal.objects.get(name) ?? new Uint8Array())
    const tagged = object.records.find((record) => record.includes('"kind":"tag"')) ?? ''
    const named = (tag: string) => JSON.stringify({ ...JSON.parse(tagged), name: tag })
    const written = (records: string[]) => {
      const bytes = encodeObject({ ...object, records: [...object.records, ...records] })
      journal.objects.set(name, bytes)
    }
    written([named('../x'), named('a\u001b[2J')])
    const { sentences } = await run(undefined)
    expect(sentences.map((sentence) => sentence.replace(/^.*:/, ''))).toEqual([
      ' its name is none',
      ' its name is none',
    ])
    expect(sentences.join('')).not.toContain('\u001b')
    for (const record of ['{', '[]', tagged.replace(/"state":.*/, '"state":{}}')]) {
      written([record])
      expect((await run(undefined)).damage).toEqual([
        `journal object ${name} has records that cannot be read`,
      ])
    }
  })

  test('of several journals somebody has to choose', async () => {
    await fill(registry.first)
    await writeJournal()
    const [name] = [...journal.objects.keys()]
    const { lineage } = await run(undefined)
    expect(name).toStartWith(lineage)
    // What a server that was started with an empty database writes.
    await writeJournal(await emptyDatabase())
    expect(await codeOf(run(undefined))).toBe('invalid_input')
    await expect(run(undefined)).rejects.toThrow(/objects, the last one written 2026-03-/)
    expect((await run(undefined, { lineage })).counts.tag).toBe(4)
    expect(await codeOf(run(undefined, { lineage: 'none' }))).toBe('not_found')
    journal.objects.clear()
    expect(await codeOf(run(undefined))).toBe('not_found')
  })
})
