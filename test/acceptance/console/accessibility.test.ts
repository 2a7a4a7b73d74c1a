import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { source as axe } from 'axe-core'
import type { Page } from 'playwright-core'
import { createUser } from '../admin-api.ts'
import { projectRoot, waitFor } from '../server.ts'
import { addRegistry, callApi } from '../transfers-api.ts'
import { type Console, describeConsole, type Look, type Window } from './browser.ts'
import { inLanes } from './lanes.ts'
import { DIALOGS, PAGES } from './page-list.ts'
import { pushedSamples } from './shared-server.ts'

/*
 * Rules of WCAG 2.2 AA, checked by axe, and that no page is wider than its window. Each page is
 * loaded in one language and looked at in both themes and widths; with ENTREPOT_TEST_EVERY_LOOK=1 it
 * is loaded in each of the eight combinations.
 */

setDefaultTimeout(600_000)

const everyLook = process.env.ENTREPOT_TEST_EVERY_LOOK === '1'

const STANDS_STILL = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  .then(() => document.getAnimations().every(({ playState, effect }) =>
    playState !== 'running' || effect.getTiming().iterations === Infinity))`

interface Violation {
  id: string
  impact: string
  nodes: { html: string; failureSummary: string }[]
}

const LOOKS: Required<Look>[] = (['en', 'zh'] as const).flatMap((language) =>
  (['light', 'dark'] as const).flatMap((theme) =>
    [1280, 390].map((width) => ({ language, theme, width })),
  ),
)

/** Languages alternate, and whether a page is seen light and wide at first, or dark and narrow. */
const sampleLook = (at: number): Required<Look> => ({
  language: at % 2 === 0 ? 'en' : 'zh',
  ...(at % 4 < 2 ? { theme: 'light', width: 1280 } : { theme: 'dark', width: 390 }),
})

const opposite = ({ language, theme, width }: Required<Look>): Required<Look> => ({
  language,
  theme: theme === 'light' ? 'dark' : 'light',
  width: width === 390 ? 1280 : 390,
})

const nameOf = ({ language, theme, width }: Required<Look>) => `${language} ${theme} ${width}`

/** Changes what the system of the one who looks asks for, and waits until the page follows. */
async function change({ page, settled }: Window, { theme, width }: Required<Look>): Promise<void> {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
  await page.setViewportSize({ width, height: 840 })
  await page.locator(`html[data-theme=${theme}]`).waitFor()
  await settled()
}

/** What is wrong with what a page shows now, all of it or one element. */
async function faults(page: Page, where: string, what = 'html'): Promise<string[]> {
  // Colors of what fades, or of a theme that is just being taken up, are not what they will be.
  await waitFor('the page to stand still', () => page.evaluate(STANDS_STILL), 60_000)
  await page.evaluate(axe)
  const violations = (await page.evaluate(
    `axe.run(document.querySelector('${what}'), {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      resultTypes: ['violations'],
    }).then(({ violations }) => violations)`,
  )) as Violation[]
  const found = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${where}: ${id} (${nodes.length}) ${nodes[0]?.html.slice(0, 200)}`)
  const tooWide = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
  return Number(tooWide) > 0 ? [...found, `${where}: ${tooWide} pixels too wide`] : found
}

test('every address of the console is in the list of pages', async () => {
  const router = await readFile(join(projectRoot, 'src/console/web/router.tsx'), 'utf8')
  const paths = [...router.matchAll(/path: '([^']+)'/g)].map(([, path = '']) => path)
  expect(paths.length).toBeGreaterThan(20)
  const missing = paths.filter((path) => {
    const pattern = new RegExp(`${path.replaceAll(/\$\w+/g, '[^/?]+')}([?/]|$)`)
    return !PAGES.some((page) => pattern.test(page))
  })
  expect(missing).toEqual([])
})

describeConsole('every page of the console', (console) => {
  const places: Record<string, string> = {}
  beforeAll(async () => {
    const { server } = console()
    await pushedSamples()
    await createUser(server, 'reader')
    await callApi(server, 'PUT', '/projects/sample/members/reader', { role: 'guest' })
    for (const [name, tag] of [
      ['DIGEST', '2.3.1'],
      ['INDEX', 'latest'],
    ] as const) {
      const path = `/projects/sample/repositories/shop%2Fweb/tags/${tag}`
      places[name] = (await callApi<{ digest: string }>(server, 'GET', path)).digest
    }
    places.REGISTRY = (await addRegistry(server, 'harbor', 'http://127.0.0.1:9')).id
    const use = { registry: 'harbor', purpose: 'build', image: 'app' }
    await callApi(server, 'POST', '/projects/sample/handouts', use)
    const source = { registry: 'self', repository: 'sample/shop/web', reference: 'latest' }
    const asked = { source, target: { registry: 'harbor' } }
    const { id } = await callApi<{ id: number }>(server, 'POST', '/transfers', asked)
    places.TRANSFER = String(id)
  }, 300_000)

  const addressOf = (template: string) =>
    template.replace(/DIGEST|INDEX|REGISTRY|TRANSFER/, (name) => places[name] ?? '')

  const windowFor = (path: string, look: Look, { signedIn, window }: Console) =>
    path === '/sign-in' ? window(look) : signedIn(look)

  async function examinePage(template: string, first: Required<Look>, looks: Required<Look>[]) {
    const path = addressOf(template)
    const window = await windowFor(path, first, console())
    await window.open(path)
    const found = await faults(window.page, `${path} ${nameOf(first)}`)
    for (const look of looks) {
      await change(window, look)
      found.push(...(await faults(window.page, `${path} ${nameOf(look)}`)))
    }
    found.push(...window.problems)
    await window.close()
    return found
  }

  async function examineDialog(
    [template, en, zh]: (typeof DIALOGS)[number],
    first: Required<Look>,
    looks: Required<Look>[],
  ) {
    const window = await console().signedIn(first)
    const name = first.language === 'zh' ? zh : en
    await window.open(addressOf(template))
    await window.page
      .getByRole('button', { name: new RegExp(`(^|plus )${name}$`) })
      .first()
      .click()
    await window.page.getByRole('dialog').waitFor()
    const where = `${template} ${name}`
    const found = await faults(window.page, `${where} ${nameOf(first)}`, '[role=dialog]')
    for (const look of looks) {
      await change(window, look)
      found.push(...(await faults(window.page, `${where} ${nameOf(look)}`, '[role=dialog]')))
    }
    found.push(...window.problems)
    await window.close()
    return found
  }

  if (everyLook) {
    test.each(LOOKS.map((look) => [nameOf(look), look] as const))(
      'can be used by everybody, and so can the windows in it: %s',
      async (_, look) => {
        const inPages = await inLanes(PAGES, (path) => examinePage(path, look, []))
        const inDialogs = await inLanes(DIALOGS, (dialog) => examineDialog(dialog, look, []))
        expect([...inPages, ...inDialogs]).toEqual([])
      },
    )
    return
  }
  test('can be used by everybody, light and dark, wide and narrow', async () => {
    const found = await inLanes(PAGES, (path, at) => {
      const look = sampleLook(at)
      return examinePage(path, look, [opposite(look)])
    })
    expect(found).toEqual([])
  })
  test('so can the windows in them', async () => {
    const found = await inLanes(DIALOGS, (dialog, at) => {
      const look = sampleLook(at)
      return examineDialog(dialog, look, [opposite(look)])
    })
    expect(found).toEqual([])
  })
  test.skip('every page in both languages, themes and widths (only with ENTREPOT_TEST_EVERY_LOOK=1)', () => {})
})
