import { expect, setDefaultTimeout, test } from 'bun:test'
import { createProject } from '../admin-api.ts'
import { waitFor } from '../server.ts'
import { addRegistry, callApi } from '../transfers-api.ts'
import { describeConsole } from './browser.ts'

setDefaultTimeout(600_000)

describeConsole('registries of others in the console', (console) => {
  test('are tested, added, tested again and deleted', async () => {
    const { page, open } = await console().signedIn()
    await open('/registries/new')
    await page.getByLabel('Name', { exact: true }).fill('nearby')
    // Nobody listens there.
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
    const row = page.getByRole('row', { name: /^nearby/ })
    await row.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByLabel('To confirm, type').fill('nearby')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
    await row.waitFor({ state: 'detached' })
  })

  test('are edited with a warning where trust changes, and the default has a successor', async () => {
    const { server } = console()
    await createProject(server, 'payments')
    const first = await addRegistry(server, 'first', 'http://127.0.0.1:9')
    await addRegistry(server, 'second', 'http://127.0.0.1:9')
    const stored = () => callApi<Record<string, unknown>>(server, 'GET', `/registries/${first.id}`)
    const { page, open } = await console().signedIn()
    const save = () => page.getByRole('button', { name: 'Save', exact: true }).click()
    await open(`/registries/${first.id}/edit`)
    await page.getByLabel('Name', { exact: true }).fill('renamed')
    await page.getByText('Chosen projects').click()
    await save()
    await page.getByText('Choose at least one project').waitFor()
    await page.locator('#projects').fill('pay')
    await page.getByTitle('payments').click()
    await page.keyboard.press('Escape')
    await save()
    await page.getByRole('heading', { name: 'renamed' }).waitFor()
    expect(await stored()).toMatchObject({ name: 'renamed', projects: ['payments'] })

    await open(`/registries/${first.id}/edit`)
    await page.getByText('Advanced settings').click()
    await page.getByLabel('SSL verification').click()
    await save()
    const warning = page.getByRole('dialog', { name: 'You are changing TLS settings' })
    await warning.getByText('need new trust files').waitFor()
    await warning.getByRole('button', { name: 'Cancel' }).click()
    expect(await stored()).toMatchObject({ verifyTls: true })
    await save()
    await warning.getByRole('button', { name: 'Save anyway' }).click()
    await page.getByRole('heading', { name: 'renamed' }).waitFor()
    expect(await stored()).toMatchObject({ verifyTls: false })

    await open('/registries')
    const row = page.getByRole('row', { name: /^second/ })
    await row.getByRole('button', { name: 'Make default' }).click()
    await page.getByText('“second” is the default now').waitFor()
    await row.getByRole('button', { name: 'Delete', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('To confirm, type').fill('second')
    await dialog.getByLabel('Default afterwards').click()
    await page.getByTitle('renamed').click()
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
    await row.waitFor({ state: 'detached' })
    expect(await stored()).toMatchObject({ isDefault: true })
  })

  test('keep a schedule that is being typed when somebody else saves another one', async () => {
    const { server } = console()
    const { id } = await addRegistry(server, 'read-often', 'http://127.0.0.1:9')
    const path = `/registries/${id}`
    const stored = () => callApi<Record<string, unknown>>(server, 'GET', path)
    const { page, open } = await console().signedIn()
    await open(`${path}?tab=syncs`)
    const field = page.getByLabel('Cron expression')
    const chosen = (text: string) => page.getByTitle(text, { exact: true }).first().waitFor()
    // Nothing is typed yet: the form follows.
    await callApi(server, 'PATCH', path, { syncCron: '0 * * * *' })
    await chosen('Every hour')
    await callApi(server, 'PATCH', path, { syncCron: '5 4 * * *' })
    await waitFor('the new schedule', async () => (await field.inputValue()) === '5 4 * * *')

    await field.fill('15 3 * * *')
    await callApi(server, 'PATCH', path, { syncCron: '0 0 * * *', name: 'read-at-night' })
    await page.getByRole('heading', { name: 'read-at-night' }).waitFor()
    expect(await field.inputValue()).toBe('15 3 * * *')
    const save = page.getByRole('button', { name: 'Save', exact: true })
    await save.click()
    await page.getByText('It was changed meanwhile').first().waitFor()
    expect(await field.inputValue()).toBe('15 3 * * *')
    expect(await stored()).toMatchObject({ syncCron: '0 0 * * *' })

    await open(`${path}?tab=syncs`)
    for (const cron of ['15 3 * * *', '20 3 * * *']) {
      await field.fill(cron)
      await save.click()
      await waitFor('what was typed', async () => (await stored()).syncCron === cron)
    }
  })
})
