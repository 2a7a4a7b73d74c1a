import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { createProject } from '../admin-api.ts'
import { type CountingProxy, startCountingProxy } from '../counting-proxy.ts'
import { createRawRegistry } from '../raw-registry.ts'
import { type Server, startServer, waitFor } from '../server.ts'
import { addRegistry, callApi } from '../transfers-api.ts'
import { describeConsole, type Window } from './browser.ts'
import { pushImage, pushMultiArch } from './sample-content.ts'
import { LOOPBACK } from './shared-server.ts'

/* What changes by itself, with a second Entrepot as the registry of others. Nothing is reloaded. */

setDefaultTimeout(600_000)

describeConsole('transfers and the inventory in the console', (console) => {
  let window: Window
  let there: Server
  let slow: CountingProxy
  let registry: string
  /** The transfer of the first test. */
  let copied = 0
  beforeAll(async () => {
    const { server } = console()
    there = await startServer({ env: LOOPBACK })
    slow = startCountingProxy(there.url, { bytesPerSecond: 500_000 })
    await createProject(server, 'dock')
    await createProject(there, 'team')
    const theirs = createRawRegistry(there.url, there.admin)
    await pushMultiArch(theirs, 'team/web', '2.4.0')
    await pushImage(theirs, 'team/worker', '1.9.2')
    const ours = createRawRegistry(server.url, server.admin)
    await pushImage(ours, 'dock/big', '1', { sizes: [30_000_000, 40_000] })
    const { username: accessKey, password: secretKey } = there.admin
    const more = { namespace: 'team', accessKey, secretKey }
    registry = (await addRegistry(server, 'branch', there.url, more)).id
    await addRegistry(server, 'far-away', slow.url, more)
  }, 300_000)
  beforeEach(async () => {
    window = await console().signedIn()
  }, 300_000)
  afterAll(async () => {
    await slow?.stop()
    await there?.dispose()
  }, 120_000)

  test('an image of a registry is copied to us, one platform of it, and its progress shown', async () => {
    const { page, open } = window
    const image = 'tab=browse&repository=team%2Fweb&reference=2.4.0'
    await open(`/registries/${registry}?${image}`)
    await page.getByRole('button', { name: 'Copy to' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Repository').fill('nothing')
    await dialog.getByLabel('Platforms').click()
    await page.getByTitle('linux/arm64').click()
    await page.keyboard.press('Escape')
    await dialog.getByText('Make a new index').click()
    await dialog.getByRole('button', { name: 'Begin' }).click()
    await dialog.getByText('The project and the name').waitFor()
    await dialog.getByLabel('Repository').fill('dock/copied')
    await dialog.getByRole('button', { name: 'Begin' }).click()
    await page.waitForURL(/\/transfers\/\d+$/)
    copied = Number(page.url().split('/').at(-1))
    await page.getByText('Done', { exact: true }).waitFor()
    const { parts } = await callApi<{ parts: { platform: string }[] }>(
      console().server,
      'GET',
      '/projects/dock/repositories/copied/artifacts/' +
        (
          await callApi<{ digest: string }>(
            console().server,
            'GET',
            '/projects/dock/repositories/copied/tags/2.4.0',
          )
        ).digest,
    )
    expect(parts.map(({ platform }) => platform)).toContain('linux/arm64')
    expect(parts.map(({ platform }) => platform)).not.toContain('linux/amd64')
    await page.getByText('linux/arm64').waitFor()
  })

  test('a slow copy tells how far it is; it is cancelled, and begun again', async () => {
    const { server } = console()
    const { page, open } = window
    await open('/transfers')
    const source = { registry: 'self', repository: 'dock/big', reference: '1' }
    const asked = { source, target: { registry: 'far-away' } }
    const { id } = await callApi<{ id: number }>(server, 'POST', '/transfers', asked)
    const row = page.getByRole('row').filter({ hasText: `#${id}` })
    await row.getByText(/iB\/s/).waitFor()
    await row.getByRole('link', { name: `#${id}` }).click()
    await page.getByText('Being sent').first().waitFor()
    const progress = page.getByRole('progressbar', { name: 'Progress', exact: true })
    const shown = async () => Number(await progress.getAttribute('aria-valuenow'))
    const before = await shown()
    await waitFor('progress', async () => (await shown()) > before)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('It was cancelled.').waitFor()
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('Running', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('It was cancelled.').waitFor()
    await open('/transfers?state=cancelled&project=dock')
    await page.getByRole('link', { name: `#${id}` }).waitFor()
    await open('/transfers?state=done&project=dock')
    await page.getByRole('link', { name: `#${copied}`, exact: true }).waitFor()
    expect(await page.getByRole('link', { name: `#${id}` }).count()).toBe(0)
  })

  test('a copy that fails says why in plain words', async () => {
    const { page, open } = window
    const source = { registry: 'branch', repository: 'team/none', reference: '1' }
    const asked = { source, target: { registry: 'self', repository: 'dock/none' } }
    const { id } = await callApi<{ id: number }>(console().server, 'POST', '/transfers', asked)
    await open(`/transfers/${id}`)
    await page.getByText('There is no such artifact').waitFor()
    await page.getByText('branch:team/none has no tag "1"').waitFor()
  })

  test('the inventory is searched and filtered, and what a sync finds appears', async () => {
    const { page, open } = window
    // It is read for the first time since it was added, in its turn with others.
    const path = `/registries/${registry}/syncs`
    const isRead = async () => {
      const { items } = await callApi<{ items: { state: string }[] }>(console().server, 'GET', path)
      return items.some(({ state }) => state === 'done')
    }
    await waitFor('the first sync', isRead, 300_000)
    await open('/inventory')
    const rows = page.getByRole('row')
    await page.getByText('team/worker:1.9.2').first().waitFor()
    await page.getByLabel('Search names and tags').fill('team/web')
    await page.waitForURL(/search=team/)
    await page.getByText('team/worker:1.9.2').first().waitFor({ state: 'detached' })
    await rows
      .getByRole('button', { name: /expand/i })
      .first()
      .click()
    await page.getByRole('cell', { name: 'linux/s390x', exact: true }).waitFor()
    await open('/inventory?platform=windows%2Famd64')
    await page.getByText('Nothing fits the filter').waitFor()
    await open(`/inventory?registry=${registry}`)
    await page.getByText(/^\d images$/).waitFor()
    await pushImage(createRawRegistry(there.url, there.admin), 'team/worker', '2.0.0')
    await page.getByRole('button', { name: 'Sync now' }).click()
    await page.getByText('team/worker:2.0.0').waitFor()
  })

  test('a registry is read at the times that somebody sets, in his zone', async () => {
    const { page, open } = window
    await open(`/registries/${registry}?tab=syncs`)
    await page.getByLabel('Besides every day').click()
    await page.getByTitle('At other times').click()
    await page.getByLabel('Cron expression').fill('never')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('five cron fields').first().waitFor()
    await page.getByLabel('Cron expression').fill('15 */4 * * *')
    await page.getByLabel('Time zone').fill('Asia/Shanghai')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved').waitFor()
    const stored = await callApi(console().server, 'GET', `/registries/${registry}`)
    expect(stored).toMatchObject({ syncCron: '15 */4 * * *', syncTimeZone: 'Asia/Shanghai' })
    await page.getByRole('cell', { name: 'Somebody' }).waitFor()
  })

  test('what a sync could not read is told with the reason', async () => {
    const { page, open } = window
    const faulty = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch(request) {
        const { pathname, search } = new URL(request.url)
        if (pathname === '/v2/team/worker/tags/list') {
          const errors = [{ code: 'DENIED', message: 'worker is closed today' }]
          return Response.json({ errors }, { status: 403 })
        }
        return fetch(there.url + pathname + search, { headers: request.headers })
      },
    })
    try {
      const { username: accessKey, password: secretKey } = there.admin
      const more = { namespace: 'team', accessKey, secretKey }
      const address = `http://127.0.0.1:${faulty.port}`
      const { id } = await addRegistry(console().server, 'faulty', address, more)
      await open(`/registries/${id}?tab=syncs`)
      const row = page.getByRole('row').filter({ hasText: 'Done in part' })
      await row.getByRole('button', { name: /expand/i }).click()
      await page.getByText('1 repository could not be read').waitFor()
      await page.getByText(/team\/worker: .*closed today/).waitFor()
      const chinese = await console().signedIn({ language: 'zh' })
      await chinese.open(`/inventory?registry=${id}`)
      await chinese.page.getByText('没有权限，请在镜像仓库中授权').waitFor()
      await chinese.page.getByText('服务器原文').click()
      await chinese.page.getByText(/closed today/).waitFor()
    } finally {
      await faulty.stop(true)
    }
  })

  test('what pipelines write down, what they get, and a use that is forgotten', async () => {
    const { page, open } = window
    await open(`/registries/${registry}?tab=means`)
    await page.getByLabel('Project', { exact: true }).fill('dock')
    await page.getByTitle('dock', { exact: true }).click()
    await page.getByText('entrepot use dock app --registry branch').waitFor()
    expect(await page.content()).not.toContain(there.admin.password)
    await page.getByRole('button', { name: 'Show the values now' }).click()
    await page.getByText(`DOCKER_REGISTRY_SK='${there.admin.password}'`).waitFor()
    await page.getByRole('tab', { name: 'Kubernetes Secret' }).click()
    await page.getByText('kubernetes.io/dockerconfigjson').waitFor()
    await page.getByRole('tab', { name: 'Used by' }).click()
    await page.getByRole('cell', { name: /dock.*Builds/ }).waitFor()
    expect(await page.content()).not.toContain(there.admin.password)
    await page.getByRole('button', { name: 'Forget' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Forget' }).click()
    await page.getByText('Nothing uses it.').waitFor()
    await page.getByRole('tab', { name: 'Trust' }).click()
    await page.getByText('"insecure-registries"').waitFor()
  })

  test('where no stream of events gets through, pages ask by themselves', async () => {
    const { page, open } = window
    await page.route('**/api/v1/events', (route) => route.abort())
    await open('/transfers')
    const source = { registry: 'branch', repository: 'team/none', reference: '2' }
    const asked = { source, target: { registry: 'self', repository: 'dock/asked-for' } }
    await callApi(console().server, 'POST', '/transfers', asked)
    await page.getByText('dock/asked-for:2').waitFor()
    expect(await page.getByText('What you see may be out of date').count()).toBe(0)
    await page.unroute('**/api/v1/events')
  })
})
