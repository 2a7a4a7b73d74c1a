import { afterAll, beforeAll, describe, test } from 'bun:test'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import chromiumPack from '@sparticuz/chromium'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { projectRoot, type Server, startServer, waitFor } from '../server.ts'

/** A browser window with its own cookies, and what went wrong in it. */
export interface Window {
  page: Page
  context: BrowserContext
  /** Errors of scripts, broken rules of the security policy, requests to other hosts. */
  problems: string[]
  signIn(name?: string, password?: string): Promise<void>
  /** Goes to an address of the console and waits until nothing is loaded any more. */
  open(path: string): Promise<void>
  close(): Promise<void>
}

export interface Look {
  language?: 'en' | 'zh'
  theme?: 'light' | 'dark'
  /** Pixels. */
  width?: number
}

export interface Console {
  server: Server
  window(look?: Look): Promise<Window>
}

async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: await chromiumPack.executablePath(),
    // As one process it would end with its first window.
    args: chromiumPack.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'),
    headless: true,
  })
}

async function openWindow(browser: Browser, server: Server, look: Look): Promise<Window> {
  const { language = 'en', theme = 'light', width = 1280 } = look
  const context = await browser.newContext({
    viewport: { width, height: 840 },
    colorScheme: theme,
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    baseURL: server.url,
  })
  const page = await context.newPage()
  // Nothing here takes long, but on a busy machine everything does.
  page.setDefaultTimeout(60_000)
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`))
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    const text = message.text()
    if (/Content Security Policy|Minified React|Warning:/.test(text)) problems.push(text)
  })
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(server.url) && !url.startsWith('data:')) problems.push(`request: ${url}`)
  })
  return {
    page,
    context,
    problems,
    async signIn(name = server.admin.username, password = server.admin.password) {
      await page.goto('/sign-in')
      await page.locator('input[autocomplete=username]').fill(name)
      await page.locator('input[autocomplete=current-password]').fill(password)
      await page.keyboard.press('Enter')
      await page.waitForURL((url) => url.pathname !== '/sign-in')
    },
    async open(path) {
      await page.goto(path)
      await page.waitForLoadState('networkidle')
    },
    close: () => context.close(),
  }
}

/** Builds the console, unless that was done, so that no test waits for it. */
async function build(): Promise<void> {
  const script = join(projectRoot, 'src/console/build/build.ts')
  const child = Bun.spawn([process.execPath, script], { stdio: ['ignore', 'ignore', 'pipe'] })
  const problem = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(problem)
}

/** Why there is no browser here; undefined: there is one. */
const missing = await launch().then(
  async (browser) => browser.close().then(() => undefined),
  (error: unknown) => String(error).split('\n')[0],
)

/**
 * Tests with a real Chromium against a real server with a console. Where the browser cannot be
 * started they are skipped under a name that says so, and listed at the end of `npm test`.
 */
export function describeConsole(
  name: string,
  body: (console: () => Console) => void,
  env: Readonly<Record<string, string>> = {},
): void {
  if (missing !== undefined) {
    const sentence = `${name}: not tested, the browser does not start (${missing})`
    test.skip(sentence, () => {})
    const list = process.env.ENTREPOT_NOT_TESTED
    if (list) appendFileSync(list, `${sentence}\n`)
    return
  }
  describe(name, () => {
    let server: Server | undefined
    let browser: Browser | undefined
    beforeAll(async () => {
      await build()
      browser = await launch()
      const started = await startServer({ env: { ENTREPOT_CONSOLE_ENABLED: 'true', ...env } })
      server = started
      await waitFor('the console', async () => {
        const answer = await fetch(started.url, { headers: { accept: 'text/html' } })
        return answer.ok
      })
    }, 120_000)
    afterAll(async () => {
      await browser?.close()
      await server?.dispose()
    }, 60_000)
    body(() => {
      if (!server || !browser) throw new Error('the server or the browser was not started')
      const [running, inside] = [server, browser]
      return {
        server: running,
        window: (look = {}) => openWindow(inside, running, look),
      }
    })
  })
}
