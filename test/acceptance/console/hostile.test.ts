import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { basic, createProject } from '../admin-api.ts'
import { blobOf, createRawRegistry } from '../raw-registry.ts'
import { addRegistry, callApi } from '../transfers-api.ts'
import { describeConsole } from './browser.ts'
import { chartArchive, HOSTILE } from './sample-content.ts'

/*
 * Texts of strangers that try to be more than texts: of images, charts, and of registries of others.
 * Besides what is looked for here, any broken rule of the security policy, any request to another
 * host and any dialog fails a test: not even an attempt reaches the page.
 */

setDefaultTimeout(600_000)

const LINK = 'javascript:document.title="taken"'
const ELSEWHERE = 'http://elsewhere.example/icon.svg'
const DRAWING = `data:image/svg+xml,${encodeURIComponent('<svg onload="alert(1)"/>')}`

const typeOf = (kind: string) => `application/vnd.oci.image.${kind}`
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** An image that is hostile wherever an image has room for words. */
async function pushHostileImage(url: string, admin: { username: string; password: string }) {
  const registry = createRawRegistry(url, admin)
  const name = 'hostile/image'
  const config = blobOf(
    bytesOf({
      created: HOSTILE,
      author: HOSTILE,
      architecture: 'amd64',
      os: 'linux',
      config: {
        User: HOSTILE,
        Env: [`A=${HOSTILE}`],
        Entrypoint: [HOSTILE],
        Labels: { [HOSTILE]: HOSTILE, 'org.opencontainers.image.url': LINK },
      },
      rootfs: { type: 'layers', diff_ids: [] },
      history: [{ created_by: HOSTILE, comment: HOSTILE }],
    }),
  )
  const layer = blobOf(bytesOf(HOSTILE))
  for (const blob of [config, layer]) await registry.pushBlob(name, blob)
  const described = (kind: string, { digest, bytes }: typeof layer) => ({
    mediaType: typeOf(kind),
    digest,
    size: bytes.length,
  })
  const manifest = blobOf(
    bytesOf({
      schemaVersion: 2,
      mediaType: typeOf('manifest.v1+json'),
      config: described('config.v1+json', config),
      layers: [described('layer.v1.tar', layer)],
      annotations: {
        [HOSTILE]: HOSTILE,
        'org.opencontainers.image.title': HOSTILE,
        'org.opencontainers.image.url': LINK,
        'org.opencontainers.image.description': `![x](${ELSEWHERE}) [y](${LINK})`,
      },
    }),
  )
  await registry.pushManifest(name, '1', {
    manifest,
    mediaType: typeOf('manifest.v1+json'),
    blobs: [],
  })
  return manifest.digest
}

/** Answers everything with a refusal in words that are none. */
const startHostileRegistry = () =>
  Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      const names = { repositories: ['team/app', HOSTILE, '../up', 'a"onclick=alert(1)'] }
      if (pathname === '/v2/') return Response.json({})
      if (pathname === '/v2/_catalog') return Response.json(names)
      if (pathname === '/v2/team/app/tags/list') {
        return Response.json({ name: 'team/app', tags: ['1', HOSTILE] })
      }
      if (pathname.includes('/html')) {
        const headers = { 'content-type': 'text/html' }
        return new Response(`<html><body>${HOSTILE}</body></html>`, { status: 502, headers })
      }
      const errors = [{ code: HOSTILE, message: HOSTILE, detail: HOSTILE }]
      return Response.json({ errors }, { status: 403 })
    },
  })

/** Nothing of it is there but as text. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.title()).not.toBe('taken')
  expect(await page.locator('img[src="x"], [onerror], [onload], [onclick]').count()).toBe(0)
  expect(await page.locator('script:not([src])').count()).toBe(0)
  const addresses = (await page.evaluate(
    "[...document.querySelectorAll('[href]')].map((one) => one.getAttribute('href'))",
  )) as string[]
  expect(addresses.filter((address) => /^\s*(javascript|data|vbscript):/i.test(address))).toEqual(
    [],
  )
}

describeConsole('hostile texts in the console', (console) => {
  let stranger: ReturnType<typeof startHostileRegistry>
  let digest: string
  let registry: string
  beforeAll(async () => {
    const { server } = console()
    stranger = startHostileRegistry()
    await createProject(server, 'hostile', { public: true })
    await callApi(server, 'PATCH', '/projects/hostile', { description: HOSTILE })
    digest = await pushHostileImage(server.url, server.admin)
    const form = new FormData()
    const chart = await chartArchive('1.0.0', {
      description: HOSTILE,
      icon: ELSEWHERE,
      home: LINK,
      sources: [LINK, DRAWING],
      keywords: [HOSTILE],
      maintainers: [{ name: HOSTILE, url: LINK, email: HOSTILE }],
    })
    form.append('chart', new Blob([chart]), 'storefront-1.0.0.tgz')
    const answer = await fetch(`${server.url}/charts/api/hostile/charts`, {
      method: 'POST',
      headers: { authorization: basic(server.admin) },
      body: form,
    })
    expect(answer.status).toBe(201)
    const address = `http://127.0.0.1:${stranger.port}`
    registry = (await addRegistry(server, 'stranger', address, { notes: HOSTILE })).id
  }, 300_000)
  afterAll(async () => {
    await callApi(console().server, 'DELETE', `/registries/${registry}`)
    await stranger?.stop(true)
  }, 120_000)

  test('of an image and of its project stay texts on every page that shows them', async () => {
    const { page, open } = await console().signedIn()
    const repository = '/projects/hostile/repositories/image'
    const artifact = `${repository}/artifacts/${digest}`
    for (const path of [
      '/projects',
      '/projects/hostile',
      '/projects/hostile/settings',
      repository,
      `${repository}/artifacts`,
      artifact,
      `${artifact}?tab=layers`,
      `${artifact}?tab=config`,
      `${artifact}?tab=manifest`,
      `${repository}/compare?left=1&right=1`,
      `/search?q=${encodeURIComponent(HOSTILE)}`,
      `/sign-in?back=${encodeURIComponent(LINK)}`,
    ]) {
      await open(path)
      await expectHarmless(page)
    }
    await open(artifact)
    await page.getByText(HOSTILE).first().waitFor()
    await open(`${artifact}?tab=layers`)
    await page.getByText('<script>alert(1)').first().waitFor()
  })

  test('of a chart stay texts, and its icon is not fetched', async () => {
    const { page, open } = await console().signedIn()
    await open('/projects/hostile/repositories/storefront/charts')
    await page.getByText(HOSTILE).first().waitFor()
    await expectHarmless(page)
    for (const name of ['Values', 'Chart.yaml']) {
      await page.getByRole('tab', { name }).click()
      await expectHarmless(page)
    }
    await page.getByText(ELSEWHERE).first().waitFor()
  })

  test.each(['en', 'zh'] as const)(
    'of a registry that refuses stay texts, in %s',
    async (language) => {
      const { page, open } = await console().signedIn({ language })
      const browse = `/registries/${registry}?tab=browse`
      const texts: string[] = []
      for (const path of [
        '/registries',
        `/registries/${registry}`,
        `/registries/${registry}/edit`,
        browse,
        `${browse}&repository=team%2Fapp`,
        `${browse}&repository=team%2Fapp&reference=1`,
        `${browse}&repository=team%2Fhtml&reference=1`,
        `/registries/${registry}?tab=test`,
        `/registries/${registry}?tab=syncs`,
        '/inventory',
      ]) {
        await open(path)
        for (const details of await page.locator('main details').all()) {
          await details.locator('summary').click()
        }
        await expectHarmless(page)
        texts.push(await page.locator('main').innerText())
      }
      // Otherwise nothing hostile would have been shown, and nothing tested.
      expect(texts.filter((text) => text.includes('<script>alert(1)')).length).toBeGreaterThan(0)
    },
  )

  test('of a transfer that failed stay texts', async () => {
    const { server } = console()
    const source = { registry: 'stranger', repository: 'team/app', reference: '1' }
    const asked = { source, target: { registry: 'self', repository: 'hostile/copied' } }
    const { id } = await callApi<{ id: number }>(server, 'POST', '/transfers', asked)
    const { page, open } = await console().signedIn()
    await open(`/transfers/${id}`)
    await page.getByText('<script>alert(1)').first().waitFor()
    await expectHarmless(page)
    await open('/transfers')
    await expectHarmless(page)
    await open('/jobs')
    await expectHarmless(page)
  })
})
