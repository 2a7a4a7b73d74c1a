import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createLog } from '../../lib/log.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { decodeObject, parseObjectName } from '../../store/journal/journal-object.ts'
import {
  createTestJournalStore,
  type TestJournalStore,
} from '../../store/journal/test-journal-store.ts'
import {
  createGate,
  createTestRegistry,
  imageOf,
  nameOf,
  noise,
  pushBlob,
  pushImage,
  pushManifest,
  type TestRegistry,
} from '../test-registry.ts'
import { oldestChange } from './changes.ts'
import { decodeRecord } from './records.ts'
import { createJournalWriter, type JournalWriter } from './writer.ts'

const quiet = createLog({ level: 'error', format: 'json', output: () => {} })

onEachEngine('journal writer', (create) => {
  let registry: TestRegistry
  let store: TestJournalStore
  let writer: JournalWriter

  beforeEach(async () => {
    registry = await createTestRegistry(create)
    store = createTestJournalStore()
    writer = anotherWriter()
  })
  afterEach(() => registry.remove())

  function anotherWriter(): JournalWriter {
    const { db } = registry.anotherProcess()
    return createJournalWriter({ db, store, clock: registry.clock, log: quiet })
  }

  /** Names without the lineage. */
  const files = () => [...store.objects.keys()].map((name) => name.split('/')[1]).sort()

  const lineages = () => new Set([...store.objects.keys()].map((name) => name.split('/')[0]))

  /** The last record of each row, from the last snapshot on; gone ones are left out. */
  function told(): Record<string, unknown> {
    const objects = [...store.objects]
      .map(([name, bytes]) => ({ ...parseObjectName(name), ...decodeObject(name, bytes) }))
      .sort((a, b) => a.header.sequence - b.header.sequence)
    const end = objects.findLast(({ kind }) => kind === 'end')
    const rows = new Map<string, unknown>()
    for (const { header, records } of objects) {
      if (header.sequence < (end?.header.start ?? 0)) continue
      for (const line of records) {
        const { key, state } = decodeRecord(line)
        const name = `${key.kind} ${key.owner} ${key.name}`
        if (state === null) rows.delete(name)
        else rows.set(name, JSON.parse(state))
      }
    }
    return Object.fromEntries([...rows].sort())
  }

  const tagsTold = () =>
    Object.entries(told())
      .filter(([name]) => name.startsWith('tag '))
      .map(([name, state]) => [name.split(' ')[2], Object(state).digest])

  test('writes what was there before it, then what changes, each once', async () => {
    const { first } = registry
    const image = await pushImage(first, 'one/app', [noise(5_000, 1), noise(10, 2)], { tag: 'v1' })
    await writer.flush()
    expect(files().map((file) => file?.split('.')[1])).toEqual(['page', 'end'])
    const before = told()
    expect(tagsTold()).toEqual([['v1', image.digest]])
    expect(await oldestChange(first.db.query)).toBeUndefined()

    const count = files().length
    await writer.flush()
    expect(files()).toHaveLength(count)

    const other = await pushImage(first, 'one/app', [noise(5_000, 1), noise(11, 3)], { tag: 'v1' })
    await pushManifest(first, 'one/app', image, { tag: 'v2' })
    await first.tags.protect(nameOf('one/app'), 'v2', true)
    await writer.flush()
    expect(files()).toHaveLength(count + 1)
    expect(tagsTold()).toEqual([
      ['v1', other.digest],
      ['v2', image.digest],
    ])
    expect(Object.values(told())).toContainEqual(expect.objectContaining({ immutable: true }))

    await first.tags.remove(nameOf('one/app'), 'v1', null)
    await first.manifests.remove(nameOf('one/app'), other.digest, null)
    await first.tags.protect(nameOf('one/app'), 'v2', false)
    await first.tags.remove(nameOf('one/app'), 'v2', null)
    await writer.flush()
    const names = Object.keys(told())
    expect(names.filter((name) => name.startsWith('manifest'))).toEqual(
      Object.keys(before).filter((name) => name.startsWith('manifest')),
    )
    expect(tagsTold()).toEqual([])
  })

  test('tells of changes again when it was cut off before they were surely stored', async () => {
    await writer.flush()
    await pushBlob(registry.first, 'one/app', noise(20))
    store.beforePut = async () => {
      throw new Error('the store does not answer')
    }
    await expect(writer.flush()).rejects.toThrow('does not answer')
    expect(await oldestChange(registry.first.db.query)).toBeDefined()
    store.beforePut = async () => {}
    // The process that was cut off is given up after a while.
    const other = anotherWriter()
    await other.flush()
    expect(await oldestChange(registry.first.db.query)).toBeDefined()
    registry.pass(61_000)
    await other.flush()
    expect(await oldestChange(registry.first.db.query)).toBeUndefined()
    expect(Object.keys(told()).filter((name) => name.startsWith('blob'))).toHaveLength(1)
  })

  test('a writer that comes back late changes nothing that is true now', async () => {
    const { first } = registry
    await writer.flush()
    const old = await pushImage(first, 'one/app', [noise(10, 1)], { tag: 'latest' })
    const stalled = createGate()
    const reached = createGate()
    store.beforePut = async () => {
      store.beforePut = async () => {}
      reached.open()
      await stalled.opened
    }
    const late = writer.flush()
    await reached.opened
    const image = await pushImage(first, 'one/app', [noise(10, 2)], { tag: 'latest' })
    registry.pass(61_000)
    await anotherWriter().flush()
    const expected = told()
    expect(tagsTold()).toEqual([['latest', image.digest]])
    stalled.open()
    await late
    expect(told()).toEqual(expected)
    expect(old.digest).not.toBe(image.digest)
    await pushBlob(first, 'one/app', noise(30))
    registry.pass(61_000)
    await writer.flush()
    expect(Object.keys(told())).toHaveLength(Object.keys(expected).length + 1)
  })

  test('a page that comes late is none of a snapshot that was begun since', async () => {
    const { first } = registry
    await pushImage(first, 'one/app', [noise(10, 1)], { tag: 'v1' })
    const puts = [0, 1].map(() => ({ reached: createGate(), stalled: createGate() }))
    let count = 0
    store.beforePut = async () => {
      const put = puts[count++]
      put?.reached.open()
      await put?.stalled.opened
      if (put === puts[1]) throw new Error('killed')
    }
    const late = writer.flush()
    await puts[0]?.reached.opened
    for (const state of ['trashed', 'live'] as const) {
      await first.db.transaction((tx) => tx.updateTable('repository').set({ state }).execute())
    }
    registry.pass(61_000)
    const next = anotherWriter().flush()
    next.catch(() => {})
    await puts[1]?.reached.opened
    puts[0]?.stalled.open()
    await late
    puts[1]?.stalled.open()
    await expect(next).rejects.toThrow('killed')
    registry.pass(61_000)
    await anotherWriter().flush()
    expect(files().at(-1)).toEndWith('.end')
    expect(Object.keys(told()).map((name) => name.split(' ')[0])).toEqual([
      'blob',
      'manifest',
      'project',
      'repository',
      'tag',
    ])
  })

  test('two writers at once, while things are pushed and removed', async () => {
    const { first } = registry
    const other = anotherWriter()
    let pushing = true
    const writing = [writer, other].map(async (one) => {
      while (pushing) {
        // Neither waits for the other, so that they meet.
        registry.pass(61_000)
        await one.flush()
        await Bun.sleep(1)
      }
    })
    for (let i = 0; i < 30; i++) {
      const image = await pushImage(first, 'one/app', [noise(10, i)], { tag: `t${i % 3}` })
      if (i % 4 === 3) await first.manifests.remove(nameOf('one/app'), image.digest, null)
    }
    pushing = false
    await Promise.all(writing)
    registry.pass(61_000)
    await writer.flush()
    const list = await first.db.query
      .selectFrom('tag')
      .innerJoin('manifest', 'manifest.id', 'tag.manifest')
      .select(['tag.name', 'digest'])
      .orderBy('tag.name')
      .execute()
    expect(tagsTold()).toEqual(list.map(({ name, digest }) => [name, digest]))
    const live = await first.db.query
      .selectFrom('manifest')
      .select('digest')
      .where('state', '=', 'live')
      .execute()
    expect(Object.keys(told()).filter((name) => name.startsWith('manifest'))).toHaveLength(
      live.length,
    )
  })

  test('writes everything anew when the changes outgrow it, and removes what is older', async () => {
    const { first } = registry
    await pushBlob(first, 'one/app', noise(20))
    await writer.flush()
    await first.db.transaction((tx) =>
      tx.updateTable('journal_head').set({ change_objects: 1_001 }).execute(),
    )
    const before = told()
    const old = files()
    await writer.flush()
    expect(told()).toEqual(before)
    expect(files().some((file) => old.includes(file))).toBe(false)
    expect(files().at(-1)).toEndWith('.end')
  })

  test('begins anew when the database was put back, and when the store is another one', async () => {
    const { first } = registry
    await pushImage(first, 'one/app', [noise(10, 1)], { tag: 'v1' })
    await writer.flush()
    const backup = await first.db.query.selectFrom('journal_head').selectAll().execute()
    await pushImage(first, 'one/app', [noise(10, 2)], { tag: 'v2' })
    await writer.flush()
    const expected = told()
    const [lineage] = lineages()
    await first.db.transaction(async (tx) => {
      await tx.deleteFrom('journal_head').execute()
      await tx.insertInto('journal_head').values(backup).execute()
    })
    await pushBlob(first, 'one/app', noise(40))
    registry.pass(61_000)
    await anotherWriter().flush()
    expect(lineages().size).toBe(1)
    expect(lineages().has(lineage)).toBe(false)
    expect(Object.keys(told())).toHaveLength(Object.keys(expected).length + 1)

    store.objects.clear()
    await pushBlob(first, 'one/app', noise(41))
    registry.pass(61_000)
    await anotherWriter().flush()
    expect(Object.keys(told())).toHaveLength(Object.keys(expected).length + 2)
  })

  test('large manifests, pushed as blobs too, are spread over many objects', async () => {
    const { first } = registry
    const text = 'x'.repeat(3_000_000)
    await writer.flush()
    const count = files().length
    for (let i = 0; i < 4; i++) {
      await pushBlob(first, 'one/app', noise(1))
      const image = imageOf([noise(1)], { annotations: { text, i: String(i) } })
      await pushManifest(first, 'one/app', image, { tag: `t${i}` })
      await pushBlob(first, 'one/app', image.bytes)
    }
    await writer.flush()
    expect(files().length - count).toBeGreaterThan(4)
    const changed = told()
    await first.db.transaction((tx) =>
      tx.updateTable('journal_head').set({ change_objects: 1_001 }).execute(),
    )
    await writer.flush()
    expect(files().length).toBeGreaterThan(7)
    expect(told()).toEqual(changed)
  })

  test('a repository that comes back from the trash is told whole', async () => {
    const { first } = registry
    await pushImage(first, 'one/app', [noise(10, 1)], { tag: 'v1' })
    await first.db.transaction((tx) =>
      first.repositories.remove(tx, nameOf('one/app'), null, 'test'),
    )
    await writer.flush()
    expect(tagsTold()).toEqual([])
    await first.db.transaction((tx) =>
      tx.updateTable('repository').set({ state: 'live' }).execute(),
    )
    await writer.flush()
    expect(tagsTold()).toHaveLength(1)
  })
})
