import type { Page } from 'playwright-core'
import { PROVIDER_NAMES } from '../../../src/client/provider.ts'

/** In the form of a registry, by the keyboard, as only a part of the list is drawn. */
export async function chooseProvider(page: Page, title: string): Promise<void> {
  const field = page.getByRole('combobox', { name: 'Provider' })
  await field.focus()
  await page.keyboard.press('ArrowDown')
  await page.getByRole('option').first().waitFor({ state: 'attached' })
  for (let i = 0; i < PROVIDER_NAMES.length; i++) {
    const active = page.locator(`[id="${await field.getAttribute('aria-activedescendant')}"]`)
    if ((await active.getAttribute('aria-label')) === title) {
      await page.keyboard.press('Enter')
      await page.getByTitle(title, { exact: true }).first().waitFor()
      return
    }
    await page.keyboard.press('ArrowDown')
  }
  throw new Error(`no provider is called ${title}`)
}
