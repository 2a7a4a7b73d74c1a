import { expect, setDefaultTimeout, test } from 'bun:test'
import type { Locator, Page } from 'playwright-core'
import { createProject } from '../admin-api.ts'
import { callApi } from '../transfers-api.ts'
import { describeConsole } from './browser.ts'
import { chooseProvider } from './choose-provider.ts'

/* What is done without a mouse: Tab, Enter, Escape and arrows, and nothing else. */

setDefaultTimeout(600_000)

const MOST_STEPS = 120

const hasFocus = async (element: Locator) =>
  (await element.and(element.page().locator(':focus')).count()) > 0

/** Presses Tab until it has the focus. */
async function tabTo(page: Page, element: Locator): Promise<void> {
  await element.waitFor()
  for (let i = 0; i < MOST_STEPS; i++) {
    if (await hasFocus(element)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${element}`)
}

async function pressAt(page: Page, element: Locator, key = 'Enter'): Promise<void> {
  await tabTo(page, element)
  await page.keyboard.press(key)
}

async function typeAt(page: Page, element: Locator, text: string): Promise<void> {
  await tabTo(page, element)
  await page.keyboard.type(text)
}

describeConsole('the console by the keyboard alone', (console) => {
  test('lets one past the navigation, and adds a registry', async () => {
    const { page, open } = await console().signedIn()
    await open('/registries')
    await page.keyboard.press('Tab')
    expect(await hasFocus(page.getByRole('link', { name: 'Skip to the content' }))).toBe(true)
    await page.keyboard.press('Enter')
    // A few steps, not the whole navigation.
    const add = page.getByRole('button', { name: 'Add a registry' })
    await page.keyboard.press('Tab')
    expect(await hasFocus(add)).toBe(true)
    await page.keyboard.press('Enter')

    // The list that is left has a field of that name too.
    await page.getByRole('heading', { name: 'Add a registry' }).waitFor()
    await tabTo(page, page.getByRole('combobox', { name: 'Provider' }))
    await chooseProvider(page, 'Docker Hub')
    await typeAt(page, page.getByLabel('Name', { exact: true }), 'by-keys')
    await typeAt(page, page.getByLabel('Address', { exact: true }), 'http://127.0.0.1:9')
    await pressAt(page, page.getByRole('button', { name: /Advanced settings/ }))
    await pressAt(page, page.getByRole('switch', { name: 'SSL verification' }), 'Space')
    await pressAt(page, add)

    // The warning keeps the focus, but for what is the browser's own; Escape takes it back.
    const warning = page.getByRole('dialog', { name: 'You are changing TLS settings' })
    await warning.waitFor()
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab')
      const inside = "document.activeElement.matches('body, [role=dialog] *')"
      expect(await page.evaluate(inside)).toBe(true)
    }
    await page.keyboard.press('Escape')
    await warning.waitFor({ state: 'hidden' })
    await pressAt(page, add)
    await pressAt(page, warning.getByRole('button', { name: 'Save anyway' }))
    await page.getByRole('heading', { name: 'by-keys' }).waitFor()
    const id = page.url().split('/').at(-1)
    const { server } = console()
    expect(await callApi(server, 'GET', `/registries/${id}`)).toMatchObject({
      name: 'by-keys',
      provider: 'dockerhub',
      verifyTls: false,
    })
    await callApi(server, 'DELETE', `/registries/${id}`)
  })

  test('deletes a project by its name, and first changes its mind', async () => {
    await createProject(console().server, 'leaving')
    const { page, open } = await console().signedIn()
    await open('/projects/leaving/settings')
    const remove = page.getByRole('button', { name: 'Delete the project' })
    const dialog = page.getByRole('dialog', { name: 'Delete the project' })
    await pressAt(page, remove)
    const typed = dialog.getByLabel(/To confirm, type/)
    await typed.waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    await remove.and(page.locator(':focus')).waitFor()

    await page.keyboard.press('Enter')
    await typed.and(page.locator(':focus')).waitFor()
    await page.keyboard.type('leavin')
    await page.keyboard.press('Enter')
    expect(await dialog.isVisible()).toBe(true)
    await page.keyboard.type('g')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/projects$/)
    const { items } = await callApi<{ items: { name: string }[] }>(
      console().server,
      'GET',
      '/projects?nameHas=leaving',
    )
    expect(items).toEqual([])
  })

  test('opens and leaves menus, and goes through the tabs of a page', async () => {
    await createProject(console().server, 'by-keys')
    const { page, open } = await console().signedIn()
    await open('/projects/by-keys')
    const theme = page.getByRole('button', { name: 'Light or dark' })
    await pressAt(page, theme)
    await page.getByRole('menuitem', { name: 'Dark' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('menuitem', { name: 'Dark' }).waitFor({ state: 'hidden' })
    await theme.and(page.locator(':focus')).waitFor()
    await tabTo(page, page.getByRole('tab', { name: 'Repositories' }))
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/usage/)
  })
})
