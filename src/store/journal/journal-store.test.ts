import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failureOf } from '../../lib/test-failure.ts'
import {
  findS3Program,
  s3SettingsOf,
  startS3Server,
  type TestS3Server,
} from '../blobs/test-s3-server.ts'
import { openFileJournal } from './file-journal.ts'
import type { JournalStore } from './journal-store.ts'
import { openS3Journal } from './s3-journal.ts'

setDefaultTimeout(60_000)

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** What every store of journals does. */
function contract(open: () => JournalStore): void {
  const namesOf = async (store: JournalStore) => (await Array.fromAsync(store.list())).sort()

  test('keeps objects whole, lists them and removes them', async () => {
    const store = open()
    expect(await namesOf(store)).toEqual([])
    expect(await store.get('00ff/1.page')).toBeUndefined()
    const large = crypto.getRandomValues(new Uint8Array(60_000))
    const names = ['00ff/1.page', '00ff/2.end', 'aa00/1.changes']
    await store.put('00ff/1.page', bytesOf('a page'))
    await Promise.all([store.put('00ff/2.end', bytesOf('')), store.put('aa00/1.changes', large)])
    expect(await namesOf(store)).toEqual(names)
    expect(new TextDecoder().decode(await store.get('00ff/1.page'))).toBe('a page')
    expect((await store.get('00ff/2.end'))?.length).toBe(0)
    expect(Buffer.compare((await store.get('aa00/1.changes')) ?? bytesOf(''), large)).toBe(0)

    await store.remove(['aa00/1.changes', 'aa00/9.changes', '00ff/1.page'])
    expect(await namesOf(store)).toEqual(['00ff/2.end'])
    expect(await store.get('aa00/1.changes')).toBeUndefined()
    await store.put('aa00/1.changes', bytesOf('again'))
    expect(await namesOf(store)).toEqual(['00ff/2.end', 'aa00/1.changes'])
    await store.remove([])
  })
}

describe('journal in files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-journal-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  contract(() => openFileJournal(join(folder, 'journal')))

  test('what was cut off while it was written is no object', async () => {
    const store = openFileJournal(join(folder, 'cut'))
    await store.put('00ff/1.page', bytesOf('a page'))
    writeFileSync(join(folder, 'cut/00ff/2.page-1234.new'), 'half')
    writeFileSync(join(folder, 'cut/stray'), '')
    expect(await Array.fromAsync(store.list())).toEqual(['00ff/1.page'])
  })

  test('takes no names that lead elsewhere', async () => {
    const store = openFileJournal(join(folder, 'names'))
    expect((await failureOf(store.put('../1.page', bytesOf('')))).code).toBe('internal')
    expect((await failureOf(store.get('00ff/../../secret'))).code).toBe('internal')
  })
})

const program = findS3Program()
if (!program)
  test.skip('the journal in S3 (.ci/install-tools builds Garage, an S3 server)', () => {})
else {
  describe('journal in S3', () => {
    let server: TestS3Server
    beforeAll(async () => {
      server = await startS3Server(program)
    })
    afterAll(() => server.stop())
    contract(() => openS3Journal(s3SettingsOf(server)))
  })
}
