import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCopyNotes } from './copy-notes.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'entrepot-notes-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const files = () => readdirSync(join(folder, 'copies'))

test('what was noted of a copy is found by the next program, and by no other copy', async () => {
  const note = await (await createCopyNotes(folder, Date.now)).of(7, 'a to b')
  expect(note.found).toBeUndefined()
  await Promise.all([note.write('one'), note.write('two')])
  expect(files()).toEqual(['7.json'])
  expect(statSync(join(folder, 'copies/7.json')).mode & 0o777).toBe(0o600)

  const again = await createCopyNotes(folder, Date.now)
  expect((await again.of(7, 'a to b')).found).toBe('two')
  expect((await again.of(7, 'a to c')).found).toBeUndefined()
  expect((await again.of(8, 'a to b')).found).toBeUndefined()
  await (await again.of(7, 'a to b')).remove()
  expect(files()).toEqual([])
})

test('what is damaged, half written or old is forgotten', async () => {
  const note = await (await createCopyNotes(folder, Date.now)).of(1, 'x')
  await note.write('one')
  const file = (name: string) => join(folder, 'copies', name)
  writeFileSync(file('2.json'), '{"what"')
  writeFileSync(file('3.json.ab12'), '')
  writeFileSync(file('4.json'), '{"what":"x","text":"old"}')
  const longAgo = Date.now() / 1000 - 8 * 24 * 3_600
  utimesSync(file('4.json'), longAgo, longAgo)
  const notes = await createCopyNotes(folder, Date.now)
  expect(files().sort()).toEqual(['1.json', '2.json'])
  expect((await notes.of(2, 'x')).found).toBeUndefined()
  // Not only when the program starts.
  utimesSync(file('1.json'), longAgo, longAgo)
  await notes.of(5, 'x')
  expect(files()).toEqual(['2.json'])
})
