import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { openConsoleFolder } from '../assets.ts'
import { projectFolder } from '../paths.ts'
import { buildConsole, type ConsoleBuild, importedBy } from './build.ts'
import { consoleKey } from './key.ts'

setDefaultTimeout(60_000)

const project = projectFolder() ?? ''
let folder: string
let built: ConsoleBuild
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'entrepot-console-'))
  built = await buildConsole(project, folder)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const KB = 1_000

/** What a browser loads to show a page that `area` holds, in the language that weighs more. */
function weigh(area: string): { gzip: number; files: number } {
  const { manifest, chunks } = built
  const entry = chunks[manifest.entry]?.dynamic ?? []
  const find = (name: string) => {
    const found = entry.find((chunk) => chunk.startsWith(`${name}-`))
    if (!found) throw new Error(`there is no chunk for ${name}`)
    return found
  }
  const page = find(area)
  const weighed = [['en'], ['zh', 'zh_CN']].map((texts) => {
    const all = new Set([
      manifest.entry,
      ...manifest.preload,
      ...manifest.styles,
      page,
      ...importedBy(chunks, page),
      ...texts.map(find).flatMap((text) => [text, ...importedBy(chunks, text)]),
    ])
    const gzip = [...all].reduce((total, name) => total + (chunks[name]?.gzip ?? 0), 0)
    return { gzip, files: all.size }
  })
  return weighed.sort((one, other) => other.gzip - one.gzip)[0] ?? { gzip: 0, files: 0 }
}

test('the first load stays small, whichever page it is', () => {
  const { chunks, manifest } = built
  const pages = (chunks[manifest.entry]?.dynamic ?? []).map((name) => name.replace(/-\w+\.js$/, ''))
  const areas = pages.filter((name) => !['en', 'zh', 'zh_CN', 'reasons'].includes(name))
  expect(areas).toEqual(expect.arrayContaining(['sign-in', 'area-home', 'area-projects', 'audit']))
  for (const area of areas) {
    const { gzip, files } = weigh(area)
    expect([area, gzip < (area === 'sign-in' ? 380 : 450) * KB]).toEqual([area, true])
    // Browsers ask for six at a time.
    expect(files).toBeLessThan(45)
  }
})

test('every file is there in the forms that are promised, with the same content', async () => {
  const assets = await openConsoleFolder(folder)
  const names = Object.keys(built.manifest.files)
  expect(names.length).toBeGreaterThan(10)
  for (const name of names) {
    const asset = assets?.find(name)
    const plain = Buffer.from(await (asset?.identity ?? new Blob()).arrayBuffer())
    expect([name, plain.length]).not.toEqual([name, 0])
    const { gzip, br } = asset ?? {}
    if (gzip) expect(gunzipSync(await gzip.arrayBuffer()).equals(plain)).toBe(true)
    if (br) expect(brotliDecompressSync(await br.arrayBuffer()).equals(plain)).toBe(true)
    if (plain.length > 1_024) expect([name, gzip, br]).not.toContain(undefined)
  }
  expect(assets?.find('../current.json')).toBeUndefined()
})

test('names carry a hash, and nothing asks other hosts for files', async () => {
  const assets = await openConsoleFolder(folder)
  for (const name of Object.keys(built.manifest.files)) {
    expect(name).toMatch(/-[a-z0-9]{8}\.(js|css|svg)$/)
    const text = await assets?.find(name)?.identity.text()
    expect(text).not.toMatch(/(?:import|from|src=|@import)\s*\(?["']https?:/)
  }
})

test('the build before the newest stays, older ones go', async () => {
  const { manifest } = built
  expect(manifest.key).toBe(await consoleKey(project))
  const builds = async () => (await readdir(folder)).filter((name) => /^[0-9a-f]{16}$/.test(name))
  expect(await builds()).toEqual([manifest.folder])
  const older = { ...manifest, key: '0'.repeat(16), folder: '0'.repeat(16) }
  for (const name of ['0'.repeat(16), '1'.repeat(16)]) {
    await Bun.write(join(folder, name, 'x.js'), '')
  }
  await Bun.write(join(folder, 'current.json'), JSON.stringify(older))
  await buildConsole(project, folder)
  expect((await builds()).sort()).toEqual(['0'.repeat(16), manifest.folder].sort())
  expect((await openConsoleFolder(folder))?.index.entry).toBe(manifest.entry)
})
