import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { basic, createProject, createUser } from '../admin-api.ts'
import { createRawRegistry } from '../raw-registry.ts'
import { describeConsole } from './browser.ts'
import { pushImage } from './sample-content.ts'
import { SAMPLE as PROJECT, pushedSamples } from './shared-server.ts'

setDefaultTimeout(600_000)

const WEB = `/projects/${PROJECT}/repositories/shop%2Fweb`

describeConsole('the console', (console) => {
  beforeAll(pushedSamples, 300_000)

  async function api(path: string) {
    const { url, admin } = console().server
    const headers = { authorization: basic(admin) }
    const answer = await fetch(`${url}/api/v1${path}`, { headers })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  test('asks for a sign-in, refuses a wrong password, and goes where one wanted to', async () => {
    const window = await console().window()
    const { page } = window
    await window.open('/account')
    expect(new URL(page.url()).pathname).toBe('/sign-in')
    await page.getByLabel('Name').fill('admin')
    await page.getByLabel('Password', { exact: true }).fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('You could not be signed in').waitFor()
    await page.getByLabel('Password', { exact: true }).fill(console().server.admin.password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    const cookies = await window.context.cookies()
    expect(cookies).toMatchObject([{ name: 'entrepot', httpOnly: true, sameSite: 'Strict' }])
    expect(
      await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })'),
    ).not.toContain(cookies[0]?.value ?? 'none')
  })

  test('makes a project, and says how to push to it', async () => {
    const { page, open } = await console().signedIn()
    await open('/projects')
    await page.getByRole('button', { name: 'New project' }).click()
    await page.getByLabel('Name').fill('Not A Name')
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Create$/ })
      .click()
    await page.getByText('The name is not valid').waitFor()
    await page.getByLabel('Name').fill('made-here')
    await page.getByLabel('Description').fill('By a browser')
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Create$/ })
      .click()
    await page.getByRole('heading', { name: /made-here/ }).waitFor()
    await page.getByText(`docker push ${console().server.host}/made-here/app:1.0`).waitFor()
    expect((await api('/projects/made-here')).body).toMatchObject({
      description: 'By a browser',
      public: false,
    })
    await open('/projects?name=made')
    await page.getByRole('link', { name: 'made-here' }).waitFor()
    expect(await page.getByRole('row').count()).toBe(2)
  })

  test('shows images with what belongs to them folded in', async () => {
    const { page, open } = await console().signedIn()
    await open(WEB)
    const row = page.getByRole('row', { name: /latest/ })
    for (const text of ['Multi-arch', 'SBOM', 'Signature × 2', 'Attestation × 3', 'linux/s390x']) {
      await row.getByText(text).waitFor()
    }
    expect(await page.getByText(/sha256-[0-9a-f]{64}\.sig/).count()).toBe(0)
    await page.getByText(/iB$/).first().hover()
    await page
      .getByRole('tooltip')
      .getByText(/^[\d,]+ bytes$/)
      .waitFor()
    await row.getByRole('button', { name: /expand/i }).click()
    await page.getByRole('cell', { name: 'linux/arm64', exact: true }).waitFor()

    await page.getByRole('link', { name: '2.3.1' }).click()
    await page.getByText(`docker pull ${console().server.host}/${PROJECT}/shop/web:2.3.1`).waitFor()
    await page.getByRole('tab', { name: 'Layers' }).click()
    await page.getByText('COPY --chown=10001 /out/shop /usr/local/bin/shop').waitFor()
    await page.getByRole('tab', { name: 'Config' }).click()
    await page.getByText('SHOP_MODE=production').first().waitFor()
    await page.getByRole('tab', { name: 'Manifest' }).click()
    await page.getByText('"schemaVersion":2').waitFor()
  })

  test('shows a chart as a chart, and harmless what was not meant so', async () => {
    const { page, open } = await console().signedIn()
    await open(`/projects/${PROJECT}/repositories/storefront/charts`)
    await page.getByRole('heading', { name: 'Storefront', exact: true }).waitFor()
    await page.getByText('<img src=x onerror=').waitFor()
    expect(await page.title()).not.toBe('taken')
    expect(await page.locator('.markdown img, .markdown script').count()).toBe(0)
    const links = await page.locator('.markdown a').all()
    expect(await Promise.all(links.map((link) => link.getAttribute('href')))).toEqual([
      'https://handbook.example/shop',
    ])
    await page.getByRole('tab', { name: 'Values' }).click()
    await page.getByText('replicas: 2').waitFor()
  })

  test('protects a tag, deletes another, and an artifact only after its name was typed', async () => {
    const { server } = console()
    await createProject(server, 'tags')
    const registry = createRawRegistry(server.url, server.admin)
    for (const tag of ['2.2.7', '2.3.0', '2.3.1']) {
      await pushImage(registry, 'tags/app', tag, { seed: tag, sizes: [1_000] })
    }
    const app = '/projects/tags/repositories/app'
    const { page, open } = await console().signedIn()
    await open(`${app}?sort=name`)
    const row = (tag: string) =>
      page.getByRole('row', { name: new RegExp(`^Choose the tag ${tag}`) })
    const act = async (tag: string, action: string) => {
      await page.getByRole('button', { name: `Actions for tag ${tag}` }).click()
      // The menu before it may still be on its way out.
      await page.getByRole('menuitem', { name: action }).last().click()
    }
    await act('2.3.0', 'Make immutable')
    await page.getByLabel('Immutable: cannot be moved or deleted').waitFor()

    await act('2.2.7', 'Delete only the tag')
    await page.getByText('Only the tag “2.2.7” goes').waitFor()
    await page.getByLabel(/To confirm, type/).fill('2.2.7')
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await row('2.2.7').waitFor({ state: 'detached' })
    expect((await api(`${app}/tags/2.2.7`)).status).toBe(404)

    const digest = String((await api(`${app}/tags/2.3.1`)).body.digest)
    await act('2.3.1', 'Delete artifact')
    await page.getByText('Deletes its tag').waitFor()
    const confirm = page.getByRole('button', { name: 'Delete', exact: true })
    expect(await confirm.isDisabled()).toBe(true)
    await page.getByLabel(/To confirm, type/).fill(digest.slice(7, 19))
    await confirm.click()
    await row('2.3.1').waitFor({ state: 'detached' })
    expect((await api(`${app}/artifacts/${digest}`)).status).toBe(404)
  })

  test('makes an API token that works, and shows it once', async () => {
    const { page, open } = await console().signedIn()
    await open('/account')
    await page.getByRole('button', { name: 'New API token' }).click()
    await page.getByRole('dialog').getByLabel('Name').fill('laptop')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const token = await page.getByText(/^ept_/).innerText()
    await page.getByRole('button', { name: 'I have kept it' }).click()
    const headers = { authorization: `Bearer ${token}` }
    const me = await fetch(`${console().server.url}/api/v1/me`, { headers })
    expect(await me.json()).toMatchObject({ name: 'admin' })
    await open('/account')
    expect(await page.getByText(/^ept_/).count()).toBe(0)
    await page.getByRole('cell', { name: 'laptop', exact: true }).waitFor()
  })

  test('changes the password and stays signed in', async () => {
    const user = await createUser(console().server, 'browser-user')
    const window = await console().window()
    const { page } = window
    await window.signIn(user.username, user.password)
    await window.open('/account')
    await page.getByLabel('Present password').fill(user.password)
    await page.getByLabel('New password', { exact: true }).fill('Another-horse-2')
    await page.getByLabel('New password again').fill('Another-horse-2')
    await page.getByRole('button', { name: 'Change your password' }).click()
    await page.getByText('The password was changed').waitFor()
    // A change needs the token of the session that took the place of the first.
    await page.getByRole('button', { name: 'New API token' }).click()
    await page.getByRole('dialog').getByLabel('Name').fill('after')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByText(/^ept_/).waitFor()
  })

  test('says that a session has ended, and goes on after a new sign-in', async () => {
    const { page, open, context, signIn } = await console().signedIn()
    await open('/users')
    await page.getByRole('cell', { name: 'admin' }).first().waitFor()
    await context.addCookies(
      (await context.cookies()).map((cookie) => ({ ...cookie, value: 'x'.repeat(43) })),
    )
    await page.getByRole('link', { name: 'Jobs' }).click()
    await page.waitForURL(/sign-in/)
    await signIn()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
  })

  test('says that the server is away, and shows the page when it is back', async () => {
    const { page, open, context } = await console().signedIn()
    await open('/projects')
    await page.route('**/api/v1/projects/**', (route) => route.abort())
    await page.getByRole('link', { name: PROJECT }).click()
    await page.getByText('The server cannot be reached').first().waitFor()
    await page.unroute('**/api/v1/projects/**')
    await page.getByRole('button', { name: 'Try again' }).first().click()
    await page.getByRole('heading', { name: new RegExp(PROJECT) }).waitFor()
    expect(context.pages()).toHaveLength(1)
  })

  test('shows public projects to everybody, and what to do about the others', async () => {
    await createProject(console().server, 'hidden-one')
    const window = await console().window()
    await window.open('/projects')
    await window.page.getByRole('link', { name: PROJECT }).waitFor()
    expect(await window.page.getByText('hidden-one').count()).toBe(0)
    await window.open('/projects/hidden-one')
    await window.page.getByText('Sign in to see this').waitFor()
  })

  test('shows a refusal alone where one may not be, whatever the page could do', async () => {
    const { server } = console()
    const nobody = await createUser(server, 'may-nothing')
    const { page, open } = await console().signedIn({}, nobody)
    const project = `/projects/${PROJECT}`
    for (const path of [
      '/runners',
      '/registries/new',
      `${project}/robots`,
      `${project}/settings`,
    ]) {
      await open(path)
      const main = page.getByRole('main')
      await main.getByText('You may not do this').waitFor()
      expect([path, await main.getByRole('alert').count()]).toEqual([path, 1])
      const buttons = await main.getByRole('button').allInnerTexts()
      expect([path, buttons]).toEqual([path, ['Try again']])
      expect([path, await main.getByRole('textbox').count()]).toEqual([path, 0])
    }
    await page.getByRole('link', { name: 'Projects' }).first().click()
    await page.getByRole('link', { name: PROJECT, exact: true }).click()
    await page.getByRole('tab', { name: 'Repositories' }).waitFor()
  })

  test('says at unknown addresses that there is no page, and shows the way home', async () => {
    const stranger = await console().window({ language: 'zh' })
    const answer = await stranger.page.goto('/nowhere/at-all?a=b')
    expect(answer?.status()).toBe(404)
    await stranger.page.getByRole('heading', { name: '页面不存在' }).waitFor()
    await stranger.page.getByText('/nowhere/at-all').waitFor()
    await stranger.page.getByRole('main').getByRole('link', { name: '项目' }).click()
    await stranger.page.waitForURL((url) => url.pathname === '/projects')

    const { page, open } = await console().signedIn()
    for (const path of ['/nowhere', `/projects/${PROJECT}/nowhere`]) {
      await open(path)
      await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
      expect(await page.title()).toBe('There is no such page · Entrepot')
    }
    await page.getByRole('main').getByRole('link', { name: 'Overview' }).click()
    await page.waitForURL((url) => url.pathname === '/')

    await open(`/projects/${PROJECT}/repositories/gone`)
    await page.getByText('There is no such repository').waitFor()
    await open(`${WEB}/artifacts/sha256:${'0'.repeat(64)}`)
    await page.getByText('There is no such artifact').waitFor()
    const program = await fetch(`${console().server.url}/nowhere`)
    expect([program.status, await program.text()]).toEqual([404, 'not found\n'])
  })

  test('speaks Chinese, in the dark, on a phone', async () => {
    const { page, open } = await console().signedIn({ language: 'zh', theme: 'dark', width: 390 })
    await open('/')
    expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN')
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark')
    await page.getByRole('button', { name: '打开导航' }).click()
    await page.getByRole('link', { name: '审计日志' }).click()
    await page.getByRole('heading', { name: '审计日志' }).waitFor()
    await open(WEB)
    await page.getByText('多架构镜像').first().waitFor()
    await open('/projects/none')
    await page.getByText('项目不存在').waitFor()
    await page.getByRole('button', { name: '语言' }).click()
    await page.getByRole('menuitem', { name: 'English' }).click()
    await page.getByText('There is no such project').waitFor()
    await open('/projects')
    await page.getByRole('heading', { name: 'Projects' }).waitFor()
  })
})
