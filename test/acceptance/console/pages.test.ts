import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { basic, createProject, createUser } from '../admin-api.ts'
import { createRawRegistry, imageOf, randomBytes } from '../raw-registry.ts'
import { describeConsole } from './browser.ts'
import { pushImage } from './sample-content.ts'
import { SAMPLE as PROJECT, pushedSamples } from './shared-server.ts'

setDefaultTimeout(600_000)

const WEB = `/projects/${PROJECT}/repositories/shop%2Fweb`
const MANY = '/projects/many/repositories/tags'
const MANY_TAGS = 10_000
/** What one push by digest may set at once. */
const TAGS_AT_ONCE = 100

describeConsole('pages of the console', (console) => {
  beforeAll(pushedSamples, 300_000)

  async function api<T>(path: string, as = console().server.admin): Promise<T> {
    const headers = { authorization: basic(as) }
    return (await (await fetch(`${console().server.url}/api/v1${path}`, { headers })).json()) as T
  }

  test('makes an access key, shows its secret once, saves both, and revokes it', async () => {
    const owner = await createUser(console().server, 'keys-owner')
    const { page, open } = await console().signedIn({}, owner)
    await open('/account')
    await page.getByRole('button', { name: 'New access key' }).click()
    await page.getByRole('dialog').getByLabel('Name').fill('scanner')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const shown = page.getByRole('dialog', { name: 'Access key scanner' })
    await shown.locator('code').nth(1).waitFor()
    const texts = await shown.locator('code').allInnerTexts()
    const [accessKey = '', secretKey = ''] = texts
    expect([accessKey.length > 10, secretKey.length > 30]).toEqual([true, true])
    const saving = page.waitForEvent('download')
    await shown.getByRole('button', { name: 'Save both as CSV' }).click()
    const saved = await (await saving).path()
    expect(await readFile(saved, 'utf8')).toBe(
      `Name,Access Key Id,Secret Access Key\r\n"scanner",${accessKey},${secretKey}\r\n`,
    )
    await shown.getByRole('button', { name: 'I have kept it' }).click()
    await shown.waitFor({ state: 'hidden' })
    const row = page.getByRole('row', { name: /scanner/ })
    await open('/account')
    await row.getByText(accessKey).waitFor()
    expect(await page.getByText(secretKey).count()).toBe(0)
    expect(await api('/me/access-keys', owner)).toMatchObject({
      items: [{ accessKey, disabled: false }],
    })

    await row.getByRole('switch').click()
    await page.locator('[role=switch][aria-checked=false]').waitFor()
    await row.getByRole('button', { name: 'Revoke' }).click()
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Revoke' })
    expect(await confirm.isDisabled()).toBe(true)
    await page.getByLabel(/To confirm, type/).fill('scanner')
    await confirm.click()
    await row.waitFor({ state: 'detached' })
    expect(await api('/me/access-keys', owner)).toEqual({ items: [], next: null })
  })

  test('gives a robot an access key', async () => {
    const { page, open } = await console().signedIn()
    await open(`/projects/${PROJECT}/robots`)
    await page.getByRole('button', { name: 'New robot account' }).click()
    await page.getByRole('dialog').getByLabel('Name').fill('ci')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const secret = page.getByRole('dialog', { name: `Secret of ${PROJECT}+ci` })
    await secret.getByRole('button', { name: 'I have kept it' }).click()
    await secret.waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Access keys' }).click()
    const drawer = page.getByRole('dialog', { name: `Access keys of ${PROJECT}+ci` })
    await drawer.getByText('act as this robot account').waitFor()
    await drawer.getByRole('button', { name: 'New access key' }).click()
    const form = page.getByRole('dialog', { name: 'New access key' })
    await form.getByLabel('Name').fill('scanner')
    await form.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('dialog', { name: 'Access key scanner' }).waitFor()
    await page.getByRole('button', { name: 'I have kept it' }).click()
    await drawer.getByRole('row', { name: /scanner/ }).waitFor()
  })

  test('finds things from everywhere by the keyboard alone', async () => {
    const { page, open } = await console().signedIn()
    await open('/jobs')
    await page.keyboard.press('/')
    await page.keyboard.type('shop/w')
    const list = page.getByRole('listbox', { name: 'Search' })
    await list.getByText(`${PROJECT}/shop/web`).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.locator('[role=option][aria-selected=true]', { hasText: 'shop/web' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'shop/web' }).waitFor()

    await page.keyboard.press('/')
    await page.keyboard.type('storefront')
    await list.getByText('Chart', { exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/search\?q=storefront/)
    await page.getByRole('link', { name: `${PROJECT}/storefront` }).click()
    await page.getByRole('heading', { name: 'Storefront', exact: true }).waitFor()

    await open('/search?q=nothing-has-this')
    await page.getByText('Nothing has “nothing-has-this” in its name.').waitFor()
  })

  test('says what changed between two tags', async () => {
    const { page, open } = await console().signedIn()
    await open(`${WEB}?sort=name`)
    await page.getByRole('button', { name: 'Actions for tag 2.3.0' }).click()
    await page.getByRole('menuitem', { name: 'Compare with another tag' }).last().click()
    await page.getByText('Choose two tags').waitFor()
    await page.getByRole('combobox', { name: 'To tag' }).fill('2.4')
    await page.locator('.ant-select-item-option', { hasText: '2.4.0' }).click()
    await page.waitForURL(/left=2.3.0&right=2.4.0/)
    await page.getByText('+ linux/arm64').waitFor()
    await page.getByText('3 layers, 4.1 MiB').first().waitFor()
    await page.getByRole('row', { name: /^team 2\.3\.0 2\.4\.0/ }).waitFor()
    await page.getByRole('button', { name: 'Swap the two' }).click()
    await page.getByText('− linux/arm64').waitFor()
    await open(`${WEB}/compare?left=2.4.0&right=2.4.0`)
    await page.getByText('Both tags point at the same artifact.').waitFor()
    await open(`${WEB}/compare?left=2.4.0&right=none`)
    await page.getByText('There is no such artifact').waitFor()
  })

  test('shows use over time as lines and as a table', async () => {
    const { page, open } = await console().signedIn()
    await open(`/projects/${PROJECT}/usage?days=90`)
    const storage = page.getByRole('figure', { name: 'Storage over time' })
    const lines = storage.getByRole('img', { name: /Storage over time: .*Unique 29\.\d MiB/ })
    await lines.focus()
    await page.keyboard.press('ArrowLeft')
    await storage.getByRole('status').getByText('Unique').waitFor()
    await storage.getByRole('button', { name: 'As a table' }).click()
    await storage
      .getByRole('cell', { name: /29\.\d MiB/ })
      .first()
      .waitFor()
    await open('/')
    await page.getByRole('figure', { name: 'Pushes and pulls' }).waitFor()
    await page.getByText('Last 30 days').waitFor()
  })

  test('measures the largest projects by their quota, and those without by nothing', async () => {
    const { server } = console()
    await createProject(server, 'measured', { quota: 8 * 1024 ** 2 })
    const registry = createRawRegistry(server.url, server.admin)
    await pushImage(registry, 'measured/app', '1', { sizes: [2 * 1024 ** 2] })
    const { page, open } = await console().signedIn()
    await open('/')
    const largest = page.getByRole('listitem')
    const measured = largest.filter({ has: page.getByRole('link', { name: 'measured' }) })
    await measured.getByText('2 MiB').waitFor()
    expect((await measured.innerText()).replace(/\s+/g, ' ')).toBe('measured 2 MiB / 8 MiB')
    const bar = measured.getByRole('meter', { name: 'Part of its quota that measured uses' })
    expect(await bar.getAttribute('aria-valuenow')).toBe('25')
    const unlimited = largest.filter({ has: page.getByRole('link', { name: PROJECT }) })
    await unlimited.getByText('no limit').waitFor()
    expect(await unlimited.getByRole('meter').count()).toBe(0)
  })

  test('says of the log and of jobs what they mean, with units and zones', async () => {
    await createProject(console().server, 'noted', { quota: 3 * 1024 ** 3 })
    const { page, open } = await console().signedIn()
    await open('/audit?action=project.create')
    const entry = page.getByRole('row', { name: /project\.create noted/ })
    await entry.getByText('public: No · quota: 3 GiB').filter({ visible: true }).waitFor()
    await entry.getByText(/\d{4}, \d\d:\d\d:\d\d [A-Z]/).waitFor()

    await open('/jobs')
    await page.getByRole('combobox', { name: 'Job', exact: true }).click()
    await page.getByTitle('Look which registries are to be read').click()
    await page.waitForURL(/name=inventory\.due/)
    await page
      .getByRole('row', { name: /usage\.fold/ })
      .first()
      .waitFor({ state: 'detached' })
    await open('/jobs?name=invented')
    await page.getByText('Nothing fits the filter').waitFor()
  })

  test('enrols a runner with a token that is shown once, and revokes it', async () => {
    const { page, open } = await console().signedIn()
    await open('/runners')
    await page.getByRole('button', { name: 'New runner' }).click()
    await page.getByLabel('Id').fill('edge-1')
    await page.getByLabel('Name').fill('Data center 2')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const shown = page.getByRole('dialog', { name: 'Enrol the runner Data center 2' })
    await shown.locator('code').nth(1).waitFor()
    const [token = '', command] = await shown.locator('code').allInnerTexts()
    expect(token.length).toBeGreaterThan(20)
    const { url } = console().server
    expect(command).toBe(`entrepot runner --hub ${url} --token-file runner-token`)
    await shown.getByRole('button', { name: 'I have kept it' }).click()
    await shown.waitFor({ state: 'hidden' })
    const row = page.getByRole('row', { name: /edge-1/ })
    await open('/runners')
    await row.getByText('Not enrolled yet').waitFor()
    expect(await page.getByText(token).count()).toBe(0)

    await row.getByRole('button', { name: /^Actions/ }).click()
    await page.getByRole('menuitem', { name: 'Revoke' }).click()
    await page.getByLabel(/To confirm, type/).fill('edge-1')
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await row.getByText('Revoked').waitFor()
    await open('/')
    await page.getByText('Not enrolled or revoked').waitFor()
    await open('/runners')
    await row.getByRole('button', { name: /^Actions/ }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByLabel(/To confirm, type/).fill('edge-1')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await row.waitFor({ state: 'detached' })
  })

  test('says failures in Chinese, with the server’s own sentence', async () => {
    const { page, open } = await console().signedIn({ language: 'zh' })
    await open('/projects')
    await page.getByRole('button', { name: '新建项目' }).click()
    await page.getByLabel('名称').fill(PROJECT)
    await page.getByRole('dialog').getByRole('button', { name: '创建' }).click()
    await page.getByText(`名称“${PROJECT}”已存在，请换一个。`).waitFor()
    await page.getByText('服务器原文').click()
    await page.getByText(`a project "${PROJECT}" exists already`).waitFor()
  })

  test('shows a repository with 10,000 tags page by page', async () => {
    const { server } = console()
    await createProject(server, 'many')
    const registry = createRawRegistry(server.url, server.admin)
    const image = imageOf([randomBytes(100)], 'many tags')
    for (const blob of image.blobs) await registry.pushBlob('many/tags', blob)
    const names = Array.from({ length: MANY_TAGS }, (_, i) => `v${String(i).padStart(5, '0')}`)
    for (let at = 0; at < names.length; at += TAGS_AT_ONCE) {
      const tags = names.slice(at, at + TAGS_AT_ONCE).map((name) => `tag=${name}`)
      const reference = `${image.manifest.digest}?${tags.join('&')}`
      await registry.pushManifest('many/tags', reference, image)
    }
    const { items } = await api<{ items: { tags: string[]; tagCount: number }[] }>(
      `${MANY}/artifacts`,
    )
    expect(items.map(({ tags, tagCount }) => [tags.length, tagCount])).toEqual([[50, MANY_TAGS]])

    const { page, open, settled } = await console().signedIn()
    await open(`${MANY}?sort=name`)
    const first = (page: number) => `v${String(page * 50).padStart(5, '0')}`
    const link = (name: string) => page.getByRole('link', { name, exact: true })
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    for (let at = 0; at < 6; at++) {
      await link(first(at)).waitFor()
      expect(await link(first(at + 1)).count()).toBe(0)
      await page.getByRole('button', { name: 'Next' }).click()
    }
    await link(first(6)).waitFor()
    await settled()
    // By key, and none for each row.
    expect(requests.filter((url) => url.includes('/tags?')).length).toBeLessThan(2 * 6)
    expect(requests.length).toBeLessThan(5 * 6)
    await page.getByRole('button', { name: 'Previous' }).click()
    await link(first(5)).waitFor()
    const address = page.url()
    await open(new URL(address).pathname + new URL(address).search)
    await link(first(5)).waitFor()
    await page.getByRole('button', { name: 'First page' }).click()
    await link(first(0)).waitFor()
    await page.getByRole('textbox', { name: 'Search tags' }).fill('v0999')
    await page.getByRole('link', { name: 'v09999' }).waitFor()
    await page.getByRole('tab', { name: 'All artifacts' }).click()
    await page.getByText('and 9,996 more').waitFor()
    await page.getByRole('link', { name: image.manifest.digest.slice(0, 19) }).click()
    await page.getByText('and 9,950 more').waitFor()
  })
})
