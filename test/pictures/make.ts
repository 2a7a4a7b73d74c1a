/**
 * `npm run pictures`: the pictures of the console in README and docs, taken from a running server
 * with content that was really pushed. `npm run pictures -- overview` takes those alone.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import chromiumPack from '@sparticuz/chromium'
import { type Browser, chromium, type Page } from 'playwright-core'
import { buildConsoleIfStale } from '../../src/console/build/build.ts'
import { projectRoot, type Server, startProcess } from '../acceptance/server.ts'
import { callApi } from '../acceptance/transfers-api.ts'
import { fillRegistry } from './content.ts'
import { writeHistory } from './history.ts'
import { giveTheirNames, LOOPBACK, startHub } from './hub.ts'
import { fileOf, LANGUAGES, type Language, SHOTS, type Shot } from './shots.ts'

/** In the pictures; the browser takes it for the server's address. */
const HOST = 'registry.example.com'
const SIZE = { width: 1280, height: 800 }
/** Pixels of the picture for one of the page. */
const SCALE = 1.5
/** Of 100. */
const QUALITY = 90
const PHONE = { width: 390, height: 800 }

const launch = async (server: Server): Promise<Browser> =>
  chromium.launch({
    executablePath: await chromiumPack.executablePath(),
    // As one process it would end with its first window.
    args: [
      ...chromiumPack.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'),
      `--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${server.port}`,
    ],
    headless: true,
  })

const openWindow = async (browser: Browser, shot: Shot, language: Language): Promise<Page> => {
  const context = await browser.newContext({
    viewport: shot.phone ? PHONE : SIZE,
    deviceScaleFactor: SCALE,
    colorScheme: shot.theme ?? 'light',
    reducedMotion: 'reduce',
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    timezoneId: 'UTC',
    ignoreHTTPSErrors: true,
    baseURL: `https://${HOST}`,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  return page
}

const signIn = async (page: Page, { admin }: Server): Promise<void> => {
  await page.goto('/sign-in')
  await page.locator('input[autocomplete=username]').fill(admin.username)
  await page.locator('input[autocomplete=current-password]').fill(admin.password)
  await page.keyboard.press('Enter')
  await page.waitForURL((url) => url.pathname !== '/sign-in')
}

/** WebP is a third of the size of PNG. */
const photograph = async (page: Page, file: string): Promise<number> => {
  const session = await page.context().newCDPSession(page)
  const { width, height } = page.viewportSize() ?? SIZE
  const { data } = await session.send('Page.captureScreenshot', {
    format: 'webp',
    quality: QUALITY,
    clip: { x: 0, y: 0, width, height, scale: SCALE },
  })
  const bytes = Buffer.from(data, 'base64')
  await mkdir(dirname(join(projectRoot, file)), { recursive: true })
  await writeFile(join(projectRoot, file), bytes)
  return bytes.length
}

const wanted = process.argv.slice(2)
const shots = SHOTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

process.stdout.write('filling a registry…\n')
await buildConsoleIfStale(projectRoot)
const env = { ...LOOPBACK, ENTREPOT_CONSOLE_ENABLED: 'true' }
const first = await startProcess({ tls: true, env })
let server = first
const endings: (() => Promise<unknown>)[] = [() => server.dispose()]
try {
  await fillRegistry(first)
  await first.stop()
  writeHistory(first)
  server = await startProcess({ tls: true, env, after: first })
  const hub = await startHub(server)
  endings.unshift(hub.dispose)
  giveTheirNames(server)
  const tagged = (repository: string, tag: string) =>
    callApi<{ digest: string }>(
      server,
      'GET',
      `/projects/storefront/repositories/${repository}/tags/${tag}`,
    )
  const web = await tagged('web', '3.9.0')
  const checkout = await tagged('checkout', '4.3.0')
  const places: Record<string, string | undefined> = {
    ...Object.fromEntries(hub.ids),
    web: web.digest,
    checkout: checkout.digest,
    running: String(hub.running),
  }
  const browser = await launch(server)
  endings.unshift(() => browser.close())
  for (const language of LANGUAGES) {
    for (const shot of shots) {
      const page = await openWindow(browser, shot, language)
      await signIn(page, server)
      await page.goto(shot.path.replace(/\{(.+?)\}/g, (_, name: string) => places[name] ?? ''))
      await page.locator('h1').first().waitFor()
      await page.waitForLoadState('networkidle')
      // A busy machine shows what it has read a little later.
      await page.locator('.ant-spin-spinning, .ant-skeleton').first().waitFor({ state: 'hidden' })
      const file = fileOf(shot, language)
      const bytes = await photograph(page, file)
      process.stdout.write(`${file}: ${Math.round(bytes / 1024)} KiB\n`)
      await page.context().close()
    }
  }
} finally {
  for (const end of endings) await end()
}
