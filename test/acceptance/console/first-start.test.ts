import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { createProject } from '../admin-api.ts'
import type { Server } from '../server.ts'
import { callApi } from '../transfers-api.ts'
import { describeConsole } from './browser.ts'
import { startConsole } from './shared-server.ts'

/* A server of its own: one in which nothing was done yet, and that may be stopped. */

setDefaultTimeout(600_000)

const OWN_PASSWORD = 'Own-horse-battery-1'

const EMPTY: [path: string, ...sentences: string[]][] = [
  ['/', 'Nothing was pushed here yet.', 'No external registries yet.'],
  ['/registries', 'No registry has been added yet.'],
  ['/inventory', 'No registry has been read yet.'],
  ['/transfers', 'Nothing has been copied yet.'],
  ['/runners', 'There are no runners.'],
  ['/robots', 'There are no robot accounts.'],
  ['/account', 'You have no API tokens.', 'You have no access keys.'],
  ['/projects/empty', 'Nothing here yet.'],
]

describeConsole(
  'a server that was just installed',
  (console) => {
    let back: Server | undefined
    afterAll(() => back?.dispose(), 60_000)
    const administrator = () => ({ ...console().server.admin, password: OWN_PASSWORD })

    test('has its printed password changed, and says how to begin', async () => {
      const { server } = console()
      const { page, open, signIn, context } = await console().window()
      await signIn()
      const reminder = page.getByText('Your password was made up at the first start')
      await reminder.waitFor()
      await page.getByRole('link', { name: 'Change your password' }).click()
      await page.getByLabel('Present password').fill(server.admin.password)
      await page.getByLabel('New password', { exact: true }).fill(OWN_PASSWORD)
      await page.getByLabel('New password again').fill(OWN_PASSWORD)
      await page.getByRole('button', { name: 'Change your password' }).click()
      await page.getByText('The password was changed').waitFor()
      await reminder.waitFor({ state: 'detached' })

      await open('/start')
      const login = `docker login -u admin ${server.host}`
      for (const command of [login, `docker pull ${server.host}/library/hello`]) {
        await page.getByText(command, { exact: true }).waitFor()
      }
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      await page.getByRole('button', { name: `Copy ${login}` }).click()
      await page.getByText('Copied').first().waitFor()
      expect(await page.evaluate('navigator.clipboard.readText()')).toBe(login)
      await page.getByRole('link', { name: 'Add a registry' }).waitFor()

      await page.getByRole('button', { name: 'Menu of admin' }).click()
      await page.getByRole('menuitem', { name: 'Sign out' }).click()
      await page.waitForURL(/sign-in/)
      await page.getByLabel('Name').fill('admin')
      await page.getByLabel('Password', { exact: true }).fill(server.admin.password)
      await page.keyboard.press('Enter')
      await page.getByText('You could not be signed in').waitFor()
      await signIn('admin', OWN_PASSWORD)
      await page.getByRole('heading', { name: 'Overview' }).waitFor()
    })

    test('says on every page that nothing is there yet', async () => {
      const { server } = console()
      await createProject({ ...server, admin: administrator() }, 'empty')
      const { page, open } = await console().signedIn({}, administrator())
      for (const [path, ...sentences] of EMPTY) {
        await open(path)
        for (const sentence of sentences) await page.getByText(sentence).first().waitFor()
      }
    })

    test('goes away while a form is filled, and nothing of that is lost', async () => {
      const { server } = console()
      const { page, open } = await console().signedIn({}, administrator())
      await open('/projects/empty/settings')
      const description = page.getByLabel('Description')
      await description.fill('Typed while it went away')
      await server.killAll()
      const away = page.getByText('What you see may be out of date')
      await away.waitFor()
      await page.getByRole('button', { name: 'Save', exact: true }).click()
      await page.getByText('The server cannot be reached').nth(1).waitFor()
      expect(await description.inputValue()).toBe('Typed while it went away')

      back = await startConsole({ after: server, env: server.env })
      await page.getByText('The server is back').waitFor()
      await away.waitFor({ state: 'detached' })
      expect(await description.inputValue()).toBe('Typed while it went away')
      await page.getByRole('button', { name: 'Save', exact: true }).click()
      await page.getByText('Saved').first().waitFor()
      const now = { ...back, admin: administrator() }
      expect(await callApi(now, 'GET', '/projects/empty')).toMatchObject({
        description: 'Typed while it went away',
      })

      // Events are followed again: what is done elsewhere appears.
      await open('/transfers')
      const source = { registry: 'self', repository: 'empty/none', reference: '1' }
      const asked = { source, target: { registry: 'self', repository: 'empty/copied' } }
      await callApi(now, 'POST', '/transfers', asked)
      await page.getByText('empty/copied:1').waitFor()
    })
  },
  () => startConsole({ printsPassword: true }),
)
