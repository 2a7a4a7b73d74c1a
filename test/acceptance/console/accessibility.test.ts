import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { source as axe } from 'axe-core'
import type { Page } from 'playwright-core'
import { basic, createProject, createUser } from '../admin-api.ts'
import { waitFor } from '../server.ts'
import { addRegistry, callApi } from '../transfers-api.ts'
import { describeConsole, type Look } from './browser.ts'
import { pushSamples } from './sample-content.ts'

setDefaultTimeout(180_000)

const REPOSITORY = '/projects/sample/repositories/shop%2Fweb'

const PAGES = [
  '/sign-in',
  '/',
  '/start',
  '/projects',
  '/projects/sample',
  '/projects/sample/members',
  '/projects/sample/robots',
  '/projects/sample/settings',
  '/projects/sample/usage',
  '/search?q=shop',
  REPOSITORY,
  `${REPOSITORY}/artifacts`,
  `${REPOSITORY}/compare?left=2.3.1&right=latest`,
  `${REPOSITORY}/about`,
  `${REPOSITORY}/artifacts/DIGEST?tag=2.3.1`,
  `${REPOSITORY}/artifacts/DIGEST?tab=layers`,
  `${REPOSITORY}/artifacts/DIGEST?tab=config`,
  `${REPOSITORY}/artifacts/INDEX?tab=parts`,
  `${REPOSITORY}/artifacts/INDEX?tab=referrers`,
  '/projects/sample/repositories/storefront/charts',
  '/registries',
  '/registries/new',
  '/runners',
  '/registries/REGISTRY',
  '/registries/REGISTRY?tab=syncs',
  '/registries/REGISTRY?tab=means',
  '/registries/REGISTRY?tab=trust',
  '/registries/REGISTRY?tab=uses',
  '/registries/REGISTRY/edit',
  '/inventory',
  '/inventory?registry=REGISTRY',
  '/transfers',
  '/transfers/TRANSFER',
  '/users',
  '/robots',
  '/account',
  '/audit',
  '/jobs',
  '/api-reference',
  '/projects/none',
]

/**
 * Windows in a page, one of each kind: where, and what the button that opens it is called in both
 * languages.
 */
const DIALOGS: [path: string, en: string, zh: string][] = [
  ['/projects', 'New project', '新建项目'],
  ['/projects/sample/members', 'Remove', '移除'],
  ['/projects/sample/robots', 'New robot account', '新建机器人账号'],
  [`${REPOSITORY}/artifacts/DIGEST?tag=2.3.1`, 'Delete artifact', '删除制品'],
  [`${REPOSITORY}/artifacts/DIGEST?tag=2.3.1`, 'Copy to …', '复制到……'],
  ['/registries', 'Delete', '删除'],
  ['/users', 'New user', '新建用户'],
  ['/account', 'New access key', '新建访问密钥'],
]

interface Violation {
  id: string
  impact: string
  nodes: { html: string; failureSummary: string }[]
}

const LOOKS: [string, Look][] = [
  ['light, 1280 pixels, English', {}],
  ['dark, 390 pixels, Chinese', { theme: 'dark', width: 390, language: 'zh' }],
]

/** Rules of WCAG 2.2 AA, checked by axe; and that no page is wider than its window. */
describeConsole('every page of the console', (console) => {
  const places = { DIGEST: '', INDEX: '', REGISTRY: '', TRANSFER: '' }
  beforeAll(async () => {
    const { server } = console()
    await createProject(server, 'sample')
    await createUser(server, 'reader')
    await pushSamples(server, { project: 'sample' })
    await callApi(server, 'PUT', '/projects/sample/members/reader', { role: 'guest' })
    for (const [name, tag] of [
      ['DIGEST', '2.3.1'],
      ['INDEX', 'latest'],
    ] as const) {
      const answer = await fetch(`${server.url}/api/v1${REPOSITORY}/tags/${tag}`, {
        headers: { authorization: basic(server.admin) },
      })
      places[name] = ((await answer.json()) as { digest: string }).digest
    }
    const added = await addRegistry(server, 'harbor', 'http://harbor.example.com')
    places.REGISTRY = added.id
    const use = { registry: 'harbor', purpose: 'build', image: 'app' }
    await callApi(server, 'POST', '/projects/sample/handouts', use)
    const source = { registry: 'self', repository: 'sample/shop/web', reference: 'latest' }
    const asked = { source, target: { registry: 'harbor' } }
    const { id } = await callApi<{ id: number }>(server, 'POST', '/transfers', asked)
    places.TRANSFER = String(id)
  }, 120_000)

  const addressOf = (template: string) =>
    template.replace(
      /DIGEST|INDEX|REGISTRY|TRANSFER/,
      (name) => places[name as keyof typeof places],
    )

  /** What is wrong with what a page shows now, all of it or one element. */
  async function faults(page: Page, where: string, what = 'html'): Promise<string[]> {
    await page.evaluate(axe)
    const violations = (await page.evaluate(
      `axe.run(document.querySelector('${what}'), { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
        .then(({ violations }) => violations)`,
    )) as Violation[]
    const found = violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${where}: ${id} (${nodes.length}) ${nodes[0]?.html.slice(0, 200)}`)
    const tooWide = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    return Number(tooWide) > 0 ? [...found, `${where}: ${tooWide} pixels too wide`] : found
  }

  test.each(LOOKS)('can be used by everybody: %s', async (_, look) => {
    const window = await console().window(look)
    const { page } = window
    const found: string[] = []
    for (const template of PAGES) {
      const path = addressOf(template)
      if (path === '/') await window.signIn()
      await window.open(path)
      await page.locator('h1, [role=alert]').first().waitFor()
      found.push(...(await faults(page, path)))
    }
    expect([...found, ...window.problems]).toEqual([])
    await window.close()
  })

  test.each(LOOKS)('so can the windows in them: %s', async (_, look) => {
    const window = await console().window(look)
    const { page } = window
    const found: string[] = []
    await window.signIn()
    for (const [template, en, zh] of DIALOGS) {
      const name = look.language === 'zh' ? zh : en
      await page.goto(addressOf(template))
      await page
        .getByRole('button', { name: new RegExp(`(^|plus )${name}$`) })
        .first()
        .click()
      await page.getByRole('dialog').waitFor()
      // While it fades in its contrast is not what it will be.
      await waitFor('the window to stand still', async () => {
        const moving = "document.getAnimations().some(({ playState }) => playState === 'running')"
        return (await page.evaluate(moving)) === false
      })
      found.push(...(await faults(page, `${template} ${name}`, '[role=dialog]')))
    }
    expect([...found, ...window.problems]).toEqual([])
    await window.close()
  })
})
