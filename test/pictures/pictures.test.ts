import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { Glob } from 'bun'
import { projectRoot } from '../acceptance/server.ts'
import { fileOf, LANGUAGES, SHOTS } from './shots.ts'

const MOST_BYTES = 2_500_000
/** Of Markdown and of HTML. */
const PICTURE = /(?:!\[[^\]]*\]\(|<img src=")([^)"]+)/g

const read = (file: string) => Bun.file(join(projectRoot, file)).text()

/** Paths from the project's folder. */
async function shownIn(file: string): Promise<string[]> {
  const text = await read(file)
  return [...text.matchAll(PICTURE)].map((match) => join(file, '..', match[1] ?? ''))
}

test('every picture that is made stands in the repository, and no other', async () => {
  const made = LANGUAGES.flatMap((language) => SHOTS.map((shot) => fileOf(shot, language)))
  const stored = [...new Glob('docs/pictures/**/*').scanSync(projectRoot)]
  expect(stored.sort()).toEqual(made.sort())
  const sizes = stored.map((file) => Bun.file(join(projectRoot, file)).size)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST_BYTES)
})

test('documents show pictures that exist, and the one on the console shows all', async () => {
  const stored = [...new Glob('docs/pictures/**/*').scanSync(projectRoot)]
  expect((await shownIn('docs/console.md')).sort()).toEqual(stored.sort())
  for (const readme of ['README.md', 'README.zh.md']) {
    const shown = await shownIn(readme)
    expect(shown.length).toBeGreaterThan(2)
    expect(stored).toEqual(expect.arrayContaining(shown))
  }
})
