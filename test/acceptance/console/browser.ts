import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import chromiumPack from '@sparticuz/chromium'
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Page,
  type Request,
} from 'playwright-core'
import { endWithThisProcess } from '../end-with-this-process.ts'
import { type Credentials, type Server, waitFor } from '../server.ts'
import { buildConsole, sharedServer } from './shared-server.ts'

/** A browser window with its own cookies, and what went wrong in it. */
export interface Window {
  page: Page
  context: BrowserContext
  /** Errors of scripts, broken rules of the security policy, requests to other hosts. */
  problems: string[]
  /** Through the form; `signedIn` is quicker. */
  signIn(name?: string, password?: string): Promise<void>
  /** Goes to an address of the console and waits until nothing is loaded any more. */
  open(path: string): Promise<void>
  /** Waits until nothing is loaded any more. */
  settled(): Promise<void>
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
  /** Of somebody unknown. Closed after the test, as are all, and what went wrong in it fails the test. */
  window(look?: Look): Promise<Window>
  /** Of somebody who signed in before it was opened: the administrator unless told. */
  signedIn(look?: Look, as?: Credentials): Promise<Window>
}

/** So long nothing may be under way before a page counts as loaded. */
const QUIET_MS = 100
/** Nothing here takes long, but on a busy machine everything does. */
const PATIENCE_MS = 120_000

/**
 * One browser for the whole process: `bun test` runs the files in it one after the other, and no
 * handlers at its end. The browser ends when its pipe to this process does.
 */
async function launch(): Promise<Browser> {
  // Unpacked once for the machine.
  const executablePath = await chromiumPack.executablePath()
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-browser-'))
  const before = process.env.TMPDIR
  // Else its profile would be left behind under a name that nobody knows.
  process.env.TMPDIR = folder
  try {
    const browser = await chromium.launch({
      executablePath,
      // As one process it would end with its first window.
      args: chromiumPack.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'),
      headless: true,
    })
    endWithThisProcess('sleep 3; rm -rf "$1"', folder)
    return browser
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
}

/** The browser, or why there is none here. */
const launched = await launch()
  // Once more, as on a busy machine it may end while it begins.
  .catch(launch)
  .then(
    (browser) => ({ browser }),
    (error: unknown) => ({ missing: String(error).split('\n')[0] }),
  )

async function openWindow(browser: Browser, server: Server, look: Look): Promise<Window> {
  const { language = 'en', theme = 'light', width = 1280 } = look
  const context = await browser.newContext({
    viewport: { width, height: 840 },
    colorScheme: theme,
    // Windows that fade in cost time, and are a moving target for clicks.
    reducedMotion: 'reduce',
    locale: language === 'zh' ? 'zh-CN' : 'en-GB',
    baseURL: server.url,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
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
  const underWay = new Set<Request>()
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(server.url) && !url.startsWith('data:')) problems.push(`request: ${url}`)
    // What an earlier page asked for is not waited for; events never end.
    if (request.isNavigationRequest()) underWay.clear()
    if (!url.endsWith('/api/v1/events')) underWay.add(request)
  })
  page.on('requestfinished', (request) => underWay.delete(request))
  page.on('requestfailed', (request) => underWay.delete(request))

  async function settled(): Promise<void> {
    await page.locator('h1, [role=alert]').first().waitFor()
    let quietSince = performance.now()
    await waitFor(
      'the page to be loaded',
      () => {
        if (underWay.size > 0) quietSince = performance.now()
        return performance.now() - quietSince > QUIET_MS
      },
      PATIENCE_MS,
    )
  }
  return {
    page,
    context,
    problems,
    settled,
    async signIn(name = server.admin.username, password = server.admin.password) {
      await page.goto('/sign-in')
      await page.locator('input[autocomplete=username]').fill(name)
      await page.locator('input[autocomplete=current-password]').fill(password)
      await page.keyboard.press('Enter')
      await page.waitForURL((url) => url.pathname !== '/sign-in')
    },
    async open(path) {
      await page.goto(path)
      await settled()
    },
    close: () => context.close(),
  }
}

/** Session cookies by server and account, as pairs. */
const sessions = new Map<string, Promise<string>>()

/** Begins a session without a page, once for each account: a password takes long to check. */
function sessionOf({ url }: Server, { username, password }: Credentials): Promise<string> {
  const key = `${url} ${username} ${password}`
  const known = sessions.get(key) ?? begin()
  sessions.set(key, known)
  return known

  async function begin(): Promise<string> {
    const answer = await fetch(`${url}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-csrf-token': 'none' },
      body: JSON.stringify({ name: username, password }),
    })
    const pair = answer.headers.get('set-cookie')?.split(';')[0]
    if (!answer.ok || !pair) throw new Error(`sign-in: ${answer.status} ${await answer.text()}`)
    return pair
  }
}

/**
 * Tests with a real Chromium against a real server with a console: one that all files share, which
 * others have filled already and will go on to use, unless `start` starts one for these tests alone.
 * Where the browser cannot be started they are skipped under a name that says so, and listed at the
 * end of `npm test`.
 */
export function describeConsole(
  name: string,
  body: (console: () => Console) => void,
  start?: () => Promise<Server>,
): void {
  if ('missing' in launched) {
    const sentence = `${name}: not tested, the browser does not start (${launched.missing})`
    test.skip(sentence, () => {})
    const list = process.env.ENTREPOT_NOT_TESTED
    if (list) appendFileSync(list, `${sentence}\n`)
    return
  }
  const { browser } = launched
  describe(name, () => {
    let server: Server | undefined
    const windows: Window[] = []
    beforeAll(async () => {
      await buildConsole()
      server = await (start ?? sharedServer)()
    }, 240_000)
    afterEach(async () => {
      const problems = windows.flatMap((window) => window.problems)
      await Promise.all(windows.splice(0).map((window) => window.close()))
      expect(problems).toEqual([])
    }, 120_000)
    afterAll(async () => {
      if (start) await server?.dispose()
    }, 120_000)

    const running = () => {
      if (!server) throw new Error('the server was not started')
      return server
    }
    async function window(look: Look = {}): Promise<Window> {
      const opened = await openWindow(browser, running(), look)
      windows.push(opened)
      return opened
    }
    async function signedIn(look?: Look, as = running().admin): Promise<Window> {
      const opened = await window(look)
      const [name = '', value = ''] = (await sessionOf(running(), as)).split('=')
      await opened.context.addCookies([
        { name, value, url: running().url, httpOnly: true, sameSite: 'Strict' },
      ])
      return opened
    }
    body(() => ({ server: running(), window, signedIn }))
  })
}
