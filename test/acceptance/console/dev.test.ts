import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import project from '../../../package.json'
import { endWithThisProcess } from '../end-with-this-process.ts'
import { freePort, projectRoot, waitFor } from '../server.ts'
import { describeConsole } from './browser.ts'

/* `npm run dev`, as its line in package.json starts it: the console unminified, as Bun serves it. */

setDefaultTimeout(600_000)

describeConsole('the console of npm run dev', (console) => {
  const password = `Aa1-${crypto.randomUUID()}`
  const url = `http://127.0.0.1:${freePort()}`
  let folder: string
  let printed: Promise<string>
  let dev: ReturnType<typeof start>

  function start() {
    const [, ...args] = project.scripts.dev.split(' ')
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_'))
    return Bun.spawn([process.execPath, ...args], {
      cwd: projectRoot,
      env: {
        ...Object.fromEntries(inherited),
        // `bun test` says "test".
        NODE_ENV: 'development',
        ENTREPOT_DEV_PORT: new URL(url).port,
        ENTREPOT_LISTEN: `127.0.0.1:${freePort()}`,
        ENTREPOT_DATA: join(folder, 'data'),
        ENTREPOT_ADMIN_PASSWORD: password,
      },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-dev-'))
    dev = start()
    const itself = 'grep -qF "$2" "/proc/$1/environ" && kill -TERM "$1" && sleep 5; rm -rf "$2"'
    endWithThisProcess(itself, String(dev.pid), folder)
    printed = Promise.all([dev.stdout.text(), dev.stderr.text()]).then((all) => all.join('\n'))
    await waitFor(
      'npm run dev',
      async () => {
        if (dev.exitCode !== null) throw new Error(`it ended:\n${await printed}`)
        const answer = await fetch(`${url}/readyz`).catch(() => undefined)
        return answer?.status === 200
      },
      120_000,
    )
  })
  afterAll(async () => {
    dev?.kill('SIGTERM')
    await dev?.exited
    await rm(folder, { recursive: true, force: true })
  })

  test('shows the sign-in form, and lets in', async () => {
    const { page, problems } = await console().window()
    await page.goto(`${url}/sign-in`)
    await page.locator('input[autocomplete=username]').fill('admin')
    await page.locator('input[autocomplete=current-password]').fill(password)
    await page.keyboard.press('Enter')
    await page.waitForURL((now) => now.pathname !== '/sign-in')
    await page.locator('h1').first().waitFor()
    // Requests to this other port are none.
    expect(problems.splice(0).filter((problem) => problem.startsWith('script:'))).toEqual([])
  })
})
