import { expect, setDefaultTimeout, test } from 'bun:test'
import { describeConsole } from './browser.ts'

setDefaultTimeout(120_000)

describeConsole('registries of others in the console', (console) => {
  test('are tested, added, tested again and deleted', async () => {
    const window = await console().window()
    const { page, open, signIn } = window
    await signIn()
    await open('/registries')
    await page.getByText('No registry has been added yet.').waitFor()
    await open('/registries/new')
    await page.getByLabel('Name', { exact: true }).fill('nearby')
    // Addresses of this machine are refused, so no step gets further than the name.
    await page.getByLabel('Address').fill('http://127.0.0.1:9')
    await page.getByLabel('Docker password').fill('a-secret')
    await page.getByRole('button', { name: 'Test the connection' }).click()
    await page.getByText('The connection does not work').waitFor()
    await page.getByRole('button', { name: 'Add a registry' }).click()
    await page.getByRole('heading', { name: 'nearby' }).waitFor()
    expect(await page.content()).not.toContain('a-secret')
    await page.getByRole('tab', { name: 'Test the connection' }).click()
    await page.getByRole('button', { name: 'Test again' }).click()
    await page.getByText('The connection does not work').waitFor()
    await page.getByRole('tab', { name: 'Browse' }).click()
    await page.getByRole('alert').first().waitFor()
    await open('/registries')
    await page.getByRole('link', { name: 'nearby' }).waitFor()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByLabel('To confirm, type').fill('nearby')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('No registry has been added yet.').waitFor()
    expect(window.problems).toEqual([])
    await window.close()
  })
})
