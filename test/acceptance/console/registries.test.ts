import { expect, setDefaultTimeout, test } from 'bun:test'
import { createProject } from '../admin-api.ts'
import { addRegistry, callApi } from '../transfers-api.ts'
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

  test('are asked for what their provider needs, and refused in words', async () => {
    const { server } = console()
    const window = await console().window()
    const { page, open, signIn } = window
    const add = () => page.getByRole('button', { name: 'Add a registry' }).click()
    /** By the keyboard: the list is longer than what of it is drawn. */
    async function choose(title: string, key: 'ArrowUp' | 'ArrowDown', times: number) {
      await page.locator('#provider').click()
      for (let i = 0; i < times; i++) await page.keyboard.press(key)
      await page.keyboard.press('Enter')
      await page.getByTitle(title, { exact: true }).first().waitFor()
    }
    await signIn()
    const swr = {
      name: 'swr',
      region: 'cn-east-3',
      address: 'https://swr.cn-east-3.myhuaweicloud.com',
      namespace: 'payments',
      accessKey: 'AK1',
    }
    await open('/registries/new')
    await choose('Huawei Cloud SWR', 'ArrowUp', 3)
    await page.getByLabel('Name', { exact: true }).fill(swr.name)
    await page.getByLabel('Region', { exact: true }).fill(swr.region)
    await page.getByLabel('Address', { exact: true }).fill(swr.address)
    await page.getByLabel('Organization', { exact: true }).fill(swr.namespace)
    await page.getByLabel('Access Key (AK)', { exact: true }).fill(swr.accessKey)
    await page.getByLabel('Secret Key (SK)', { exact: true }).fill('a-secret')
    await add()
    await page.getByRole('heading', { name: 'swr' }).waitFor()

    await open('/registries/new')
    await choose('Amazon ECR', 'ArrowUp', 2)
    expect(await page.getByLabel('Namespace').count()).toBe(0)
    await page.getByLabel('Name', { exact: true }).fill(swr.name)
    await page.getByLabel('URI', { exact: true }).fill('https://name:word@ecr.example.com')
    await add()
    await page.getByText('This is needed').waitFor()
    await page.getByLabel('Region', { exact: true }).fill('ap-northeast-1')
    await add()
    await page.getByRole('alert').filter({ hasText: 'address' }).first().waitFor()
    await page.getByLabel('URI', { exact: true }).fill('https://ecr.example.com')
    await add()
    await page.getByText('exists already').first().waitFor()

    await choose('Google Artifact Registry', 'ArrowDown', 1)
    expect(await page.getByLabel('User name').inputValue()).toBe('_json_key_base64')
    await page.getByLabel('Name', { exact: true }).fill('gar')
    await page.getByLabel('Location', { exact: true }).fill('europe-west1')
    await page.getByLabel('Address', { exact: true }).fill('https://europe-west1-docker.pkg.dev')
    await page.getByLabel('Namespace', { exact: true }).fill('team/images')
    await page.getByLabel('Service account key', { exact: true }).fill('eyJ9')
    await add()
    await page.getByRole('heading', { name: 'gar' }).waitFor()
    const { items } = await callApi<{ items: { id: string }[] }>(server, 'GET', '/registries')
    expect(items).toMatchObject([
      { ...swr, provider: 'swr' },
      { name: 'gar', provider: 'gar', namespace: 'team/images', accessKey: '_json_key_base64' },
    ])
    for (const { id } of items.toReversed()) await callApi(server, 'DELETE', `/registries/${id}`)
    expect(window.problems).toEqual([])
    await window.close()
  })

  test('are edited with a warning where trust changes, and the default has a successor', async () => {
    const { server } = console()
    await createProject(server, 'payments')
    const first = await addRegistry(server, 'first', 'https://first.example.com')
    await addRegistry(server, 'second', 'https://second.example.com')
    const stored = () => callApi<Record<string, unknown>>(server, 'GET', `/registries/${first.id}`)
    const window = await console().window()
    const { page, open, signIn } = window
    const save = () => page.getByRole('button', { name: 'Save', exact: true }).click()
    await signIn()

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
    expect(window.problems).toEqual([])
    await window.close()
  })
})
