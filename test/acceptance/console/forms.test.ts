import { beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import type { Locator, Page } from 'playwright-core'
import { createProject, createUser } from '../admin-api.ts'
import { createRawRegistry } from '../raw-registry.ts'
import { waitFor } from '../server.ts'
import { callApi } from '../transfers-api.ts'
import { describeConsole, type Window } from './browser.ts'
import { HOSTILE, pushImage } from './sample-content.ts'

/* Every form that no other test fills: what it stores, and what the server says against it. */

setDefaultTimeout(600_000)

const GIBIBYTE = 1024 ** 3

describeConsole('forms of the console', (console) => {
  let window: Window
  let page: Page
  beforeAll(async () => {
    const { server } = console()
    for (const name of ['stall', 'spare']) await createProject(server, name)
    await createUser(server, 'mia')
    const registry = createRawRegistry(server.url, server.admin)
    await pushImage(registry, 'stall/web', '1', { sizes: [1_000] })
  }, 300_000)
  beforeEach(async () => {
    window = await console().signedIn()
    page = window.page
  }, 300_000)

  const api = <T = Record<string, unknown>>(method: string, path: string, body?: object) =>
    callApi<T>(console().server, method, path, body)
  const dialog = () => page.getByRole('dialog')
  /** Its name may have that of an icon before it. */
  const press = (name: string, within: Page | Locator = page) =>
    within.getByRole('button', { name: new RegExp(`(^|plus )${name}$`) }).click()
  /** Types the name that a destructive action asks for, which it does before anything else. */
  async function confirm(name: string, action: string) {
    const button = dialog().getByRole('button', { name: action, exact: true })
    await button.waitFor()
    expect(await button.isDisabled()).toBe(true)
    await dialog()
      .getByLabel(/To confirm, type/)
      .fill(name)
    await button.click()
  }
  async function choose(field: Locator, title: string) {
    await field.click()
    await page.locator(`.ant-select-item-option[title^="${title}"]:visible`).click()
  }

  test('settings of a project, also when somebody else was faster', async () => {
    await window.open('/projects/stall/settings')
    await page.getByLabel('Description').fill('What the stall runs')
    await page.getByLabel('Public').click()
    await page.getByLabel('Storage quota').fill('5')
    await press('Save')
    await page.getByText('Saved').first().waitFor()
    const stored = { description: 'What the stall runs', public: true, quota: 5 * GIBIBYTE }
    // Another process than the one that stored it may answer, and know it a moment later.
    const description = async () => (await api('GET', '/projects/stall')).description
    await waitFor('the settings', async () => (await description()) === stored.description)
    expect(await api('GET', '/projects/stall')).toMatchObject(stored)

    await window.open('/projects/stall/settings')
    await api('PATCH', '/projects/stall', { description: 'Of somebody else' })
    await page.getByLabel('Description').fill('Too late')
    await press('Save')
    await page.getByText('It was changed meanwhile').first().waitFor()
    expect(await api('GET', '/projects/stall')).toMatchObject({ description: 'Of somebody else' })
  })

  test('settings follow what others do until something is typed', async () => {
    const change = (description: string) =>
      api('PATCH', '/projects/stall', { description }).then(() => description)
    await window.open('/projects/stall/settings')
    const first = await change('Of somebody else, first')
    const field = page.getByLabel('Description')
    // Who comes back to the window sees what is there.
    await waitFor('what is there', async () => {
      await page.evaluate("window.dispatchEvent(new Event('visibilitychange'))")
      return (await field.inputValue()) === first
    })
    await field.fill('Typed over it')
    await press('Save')
    await page.getByText('Saved').first().waitFor()
    expect(await field.inputValue()).toBe('Typed over it')
  })

  test('members are added, given another role, and removed by name', async () => {
    await window.open('/projects/stall/members')
    await press('Add a member')
    await dialog().getByLabel('Name').fill('nobody')
    await press('Add a member', dialog())
    await dialog().getByRole('alert').filter({ hasText: 'nobody' }).first().waitFor()
    await dialog().getByLabel('Name').fill('mia')
    await press('Add a member', dialog())
    const row = page.getByRole('row', { name: /^mia/ })
    await row.waitFor()
    await choose(row.getByLabel('Role of mia'), 'Maintainer')
    const members = async () => {
      const path = '/projects/stall/members'
      const { items } = await api<{ items: { name: string; role: string }[] }>('GET', path)
      return items.map(({ name, role }) => `${name}: ${role}`)
    }
    await waitFor('the role', async () => (await members()).includes('mia: maintainer'))
    await press('Remove', row)
    await confirm('mia', 'Remove')
    await row.waitFor({ state: 'detached' })
    expect((await members()).join()).not.toContain('mia')
  })

  test('robots of the system get another secret, are switched off, and go', async () => {
    await window.open('/robots')
    await press('New robot account')
    await dialog().getByLabel('Name').fill('nightly')
    await dialog().getByLabel('Projects').fill('spa')
    await page.getByTitle('spare', { exact: true }).click()
    await press('Create', dialog())
    const shown = page.getByRole('dialog', { name: 'Secret of system+nightly' })
    const first = await shown.locator('code').first().innerText()
    await press('I have kept it', shown)
    await shown.waitFor({ state: 'hidden' })

    await press('New robot account')
    await dialog().getByLabel('Name').fill('nightly')
    await press('Create', dialog())
    await dialog().getByText('there is a robot named').first().waitFor()
    await press('Cancel', dialog())

    const row = page.getByRole('row', { name: /nightly/ })
    await press('New secret', row)
    await confirm('system+nightly', 'New secret')
    await shown.waitFor()
    expect(await shown.locator('code').first().innerText()).not.toBe(first)
    await press('I have kept it', shown)
    await shown.waitFor({ state: 'hidden' })
    await row.getByRole('switch').click()
    await row.locator('[role=switch][aria-checked=false]').waitFor()
    const stored = async () => {
      const { items } = await api<{ items: { name: string; disabled: boolean }[] }>(
        'GET',
        '/robots',
      )
      return items.filter(({ name }) => name.includes('nightly')).map(({ disabled }) => disabled)
    }
    expect(await stored()).toEqual([true])
    await press('Delete', row)
    await confirm('system+nightly', 'Delete')
    await row.waitFor({ state: 'detached' })
    expect(await stored()).toEqual([])
  })

  test('users are made, changed, given a password, and deleted by name', async () => {
    await window.open('/users')
    await press('New user')
    await dialog().getByLabel('Name', { exact: true }).fill('noor')
    await dialog().getByLabel('Password', { exact: true }).fill('short')
    await press('Create', dialog())
    await dialog().getByText('the password needs').first().waitFor()
    await dialog().getByLabel('Password', { exact: true }).fill('Good-horse-1')
    await dialog().getByLabel('Display name').fill(HOSTILE)
    await press('Create', dialog())
    const row = page.getByRole('row', { name: /^noor/ })
    await row.getByText('<script>').waitFor()

    await press('Edit', row)
    await dialog().getByLabel('Email').fill('noor@stall.example')
    await dialog().getByLabel('Display name').fill('Noor')
    await press('Save', dialog())
    await row.getByText('noor@stall.example').waitFor()
    expect(await api('GET', '/users/noor')).toMatchObject({ displayName: 'Noor' })

    await press('New password', row)
    await dialog().getByLabel('New password').fill('short')
    await press('Save', dialog())
    await dialog().getByText('the password needs').first().waitFor()
    await dialog().getByLabel('New password').fill('Better-horse-2')
    await press('Save', dialog())
    await dialog().waitFor({ state: 'hidden' })
    const other = await console().window()
    await other.signIn('noor', 'Better-horse-2')

    await press('Delete', row)
    await confirm('noor', 'Delete')
    await row.waitFor({ state: 'detached' })
  })

  test('a wrong password changes nothing, and a token is revoked by name', async () => {
    await window.open('/account')
    await page.getByLabel('Present password').fill('wrong')
    await page.getByLabel('New password', { exact: true }).fill('Another-horse-3')
    await page.getByLabel('New password again').fill('Another-horse')
    await press('Change your password')
    await page.getByText('This is not the same password').waitFor()
    await page.getByLabel('New password again').fill('Another-horse-3')
    await press('Change your password')
    await page
      .getByRole('alert')
      .filter({ hasText: /password/ })
      .first()
      .waitFor()

    await api('POST', '/tokens', { name: 'old' })
    await window.open('/account')
    const row = page.getByRole('row', { name: /^old/ })
    await press('Revoke', row)
    await confirm('old', 'Revoke')
    await row.waitFor({ state: 'detached' })
    const { items } = await api<{ items: { name: string }[] }>('GET', '/tokens')
    expect(items.map(({ name }) => name)).not.toContain('old')
  })

  test('a description is written, and stays a text whatever is in it', async () => {
    await window.open('/projects/stall/repositories/web/about')
    await press('Edit')
    await page.getByLabel('In one line').fill(HOSTILE)
    await page.getByLabel('Description').fill(`# Web\n\n${HOSTILE} [no](javascript:alert(1))`)
    await press('Save')
    await page.getByRole('heading', { name: 'Web', exact: true }).waitFor()
    await page.locator('.markdown').getByText('<img src=x').waitFor()
    expect(await page.locator('.markdown').locator('img, script, a').count()).toBe(0)
    expect(await page.title()).not.toBe('taken')

    await press('Edit')
    await api('PATCH', '/projects/stall/repositories/web', { summary: 'Of somebody else' })
    await page.getByLabel('In one line').fill('Too late')
    await press('Save')
    await page.getByText('It was changed meanwhile').first().waitFor()
  })

  test('a runner whose id is not one is told so', async () => {
    await window.open('/runners')
    await press('New runner')
    await dialog().getByLabel('Id').fill('local')
    await press('Create', dialog())
    await dialog().getByText('has a meaning of its own').first().waitFor()
    await dialog().getByLabel('Only for project').fill('no-such')
    await dialog().getByLabel('Id').fill('edge-9')
    await press('Create', dialog())
    await dialog().getByText('no-such').first().waitFor()
    const { items } = await api<{ items: { id: string }[] }>('GET', '/runners')
    expect(items.map(({ id }) => id)).not.toContain('edge-9')
  })

  test('a session that ends while a form is filled leads back to the form', async () => {
    const own = await console().window()
    const { server } = console()
    await own.signIn()
    await own.open('/projects/spare/settings')
    await own.page.getByLabel('Description').fill('Written in vain')
    const cookies = await own.context.cookies()
    await own.context.addCookies(cookies.map((one) => ({ ...one, value: 'x'.repeat(43) })))
    await press('Save', own.page)
    await own.page.waitForURL(/sign-in/)
    await own.page.locator('input[autocomplete=username]').fill(server.admin.username)
    await own.page.locator('input[autocomplete=current-password]').fill(server.admin.password)
    await own.page.keyboard.press('Enter')
    await own.page.waitForURL(/\/projects\/spare\/settings$/)
    await own.page.getByLabel('Description').fill('Written again')
    await press('Save', own.page)
    await own.page.getByText('Saved').first().waitFor()
    expect(await api('GET', '/projects/spare')).toMatchObject({ description: 'Written again' })
  })

  test('a repository and a project are deleted by name, in this order', async () => {
    await window.open('/projects/stall/settings')
    await press('Delete the project')
    await confirm('stall', 'Delete')
    await dialog().getByText('still has repositories').first().waitFor()
    await window.open('/projects/stall/repositories/web')
    await press('Delete the repository')
    await dialog().getByText('goes with everything in it: 1 tags').waitFor()
    await confirm('web', 'Delete')
    await page.waitForURL(/\/projects\/stall$/)
    await window.open('/projects/stall/settings')
    await press('Delete the project')
    await confirm('stall', 'Delete')
    await page.waitForURL(/\/projects$/)
    await page.getByRole('link', { name: 'spare', exact: true }).waitFor()
    expect(await page.getByRole('link', { name: 'stall', exact: true }).count()).toBe(0)
  })
})
