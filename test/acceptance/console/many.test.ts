import { expect, setDefaultTimeout, test } from 'bun:test'
import { source as axe } from 'axe-core'
import type { Page } from 'playwright-core'
import { createProject } from '../admin-api.ts'
import { createRawRegistry } from '../raw-registry.ts'
import { callApi } from '../transfers-api.ts'
import { describeConsole, type Look } from './browser.ts'
import { pushImage } from './sample-content.ts'

setDefaultTimeout(600_000)

const TAGS = ['1.0', '1.1', '1.2', '1.3', '1.4']

/** What axe finds in a window, or in something else. */
async function faultsIn(page: Page, what = '[role=dialog]'): Promise<string[]> {
  await page.evaluate(axe)
  const rules = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']"
  return (await page.evaluate(
    `axe.run(document.querySelector('${what}'), { runOnly: ${rules} })
      .then(({ violations }) => violations.map(({ id, nodes }) => id + nodes[0].html))`,
  )) as string[]
}

describeConsole('many at once', (console) => {
  const tagsOf = async (app: string) => {
    const path = `${app}/tags?sort=name`
    const { items } = await callApi<{ items: { name: string }[] }>(console().server, 'GET', path)
    return items.map(({ name }) => name)
  }

  async function filled(project: string): Promise<string> {
    const { server } = console()
    await createProject(server, project, { public: true })
    const registry = createRawRegistry(server.url, server.admin)
    for (const tag of TAGS) {
      await pushImage(registry, `${project}/app`, tag, { seed: project + tag, sizes: [1_000] })
    }
    const app = `/projects/${project}/repositories/app`
    await callApi(server, 'PATCH', `${app}/tags/1.3`, { immutable: true })
    return app
  }

  test('tags and artifacts go by the keyboard, and each that stays is told with its reason', async () => {
    const { server, signedIn } = console()
    const app = await filled('many-gone')
    const { page, open, settled } = await signedIn()
    await open(`${app}?sort=name`)
    const box = (name: string) => page.getByRole('checkbox', { name, exact: true })
    expect(await page.getByRole('button', { name: 'Delete chosen' }).isDisabled()).toBe(true)
    await box('Choose the tag 1.0').focus()
    await page.keyboard.press('Space')
    await page.getByRole('button', { name: 'Delete 1 chosen' }).waitFor()
    await box('Choose all rows of this page').focus()
    await page.keyboard.press('Space')
    expect(await faultsIn(page, '#content')).toEqual([])
    await page.getByRole('button', { name: 'Delete 5 chosen' }).focus()
    await page.keyboard.press('Enter')
    const question = page.getByRole('dialog', { name: 'Delete 4 tags' })
    await question.getByText('Only these 4 tags go: 1.0, 1.1, 1.2, 1.4').waitFor()
    await question.getByText('Their artifacts stay').waitFor()
    await question.getByText('Not deleted, since immutable: 1.3').waitFor()
    await question.getByText('This cannot be undone.').waitFor()
    expect(await faultsIn(page)).toEqual([])
    // Others work here too.
    await callApi(server, 'PATCH', `${app}/tags/1.2`, { immutable: true })
    await callApi(server, 'DELETE', `${app}/tags/1.1`)
    await question.getByLabel(/To confirm, type/).waitFor()
    await page.keyboard.type('4')
    await page.keyboard.press('Enter')
    const outcome = page.getByRole('dialog', { name: 'What was deleted' })
    await outcome.getByText('2 were deleted').waitFor()
    await outcome.getByText('1.0, 1.4', { exact: true }).waitFor()
    await outcome.getByText('2 were not deleted').waitFor()
    await outcome.getByRole('listitem').filter({ hasText: 'has no tag "1.1"' }).waitFor()
    await outcome.getByRole('listitem').filter({ hasText: '1.2: It is protected' }).waitFor()
    await outcome.getByText('1.3', { exact: true }).waitFor()
    expect(await faultsIn(page)).toEqual([])
    await page.keyboard.press('Escape')
    await outcome.waitFor({ state: 'hidden' })
    await box('Choose the tag 1.0').waitFor({ state: 'detached' })
    expect(await page.getByRole('checkbox', { checked: true }).count()).toBe(0)
    expect(await tagsOf(app)).toEqual(['1.2', '1.3'])

    await page.getByRole('tab', { name: 'All artifacts' }).click()
    await page.getByRole('columnheader', { name: 'Digest' }).waitFor()
    await settled()
    await box('Choose all rows of this page').click()
    await page.getByRole('button', { name: 'Delete 5 chosen' }).click()
    const artifacts = page.getByRole('dialog', { name: 'Delete 5 artifacts' })
    await artifacts.getByText(/Deletes their 2 tags: 1\.[23], 1\.[23]/).waitFor()
    const confirm = artifacts.getByRole('button', { name: 'Delete', exact: true })
    expect(await confirm.isDisabled()).toBe(true)
    await artifacts.getByLabel(/To confirm, type/).fill('5')
    await confirm.click()
    await outcome.getByText('3 were deleted').waitFor()
    const kept = outcome.getByRole('listitem').filter({ hasText: 'It is protected' })
    expect(await kept.count()).toBe(2)
    expect(await tagsOf(app)).toEqual(['1.2', '1.3'])
  })

  test('on a phone in Chinese; who may not delete is offered nothing', async () => {
    const look: Look = { language: 'zh', theme: 'dark', width: 390 }
    const app = await filled('many-phone')
    const { page, open } = await console().signedIn(look)
    await open(`${app}?sort=name`)
    const wider = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
    for (const tag of ['1.0', '1.3']) await page.getByLabel(`选择标签 ${tag}`).click()
    await page.getByRole('button', { name: '删除所选（2）' }).click()
    const question = page.getByRole('dialog', { name: '删除 1 个标签' })
    await question.getByText('不可变标签，不会删除： 1.3').waitFor()
    expect([await page.evaluate(wider), await faultsIn(page)]).toEqual([0, []])
    await question.getByLabel(/1$/).fill('1')
    await question.getByRole('button', { name: '删除', exact: true }).click()
    await page.getByRole('dialog', { name: '删除结果' }).getByText('已删除 1 个').waitFor()
    expect([await page.evaluate(wider), await faultsIn(page)]).toEqual([0, []])
    expect(await tagsOf(app)).toEqual(['1.1', '1.2', '1.3', '1.4'])

    const stranger = await console().window()
    for (const path of [app, `${app}/artifacts`]) {
      await stranger.open(path)
      await stranger.page.getByText('1.4').first().waitFor()
      expect(await stranger.page.getByRole('checkbox').count()).toBe(0)
      expect(await stranger.page.getByRole('button', { name: 'Delete chosen' }).count()).toBe(0)
    }
  })
})
