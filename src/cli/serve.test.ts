import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

setDefaultTimeout(30_000)

const root = mkdtempSync(join(tmpdir(), 'entrepot-serve-'))
const program = Bun.fileURLToPath(new URL('./test-program.ts', import.meta.url))
const started: Served[] = []

afterEach(async () => {
  for (const served of started.splice(0)) {
    served.child.kill('SIGTERM')
    await served.child.exited
  }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Served {
  url: string
  child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  /** All lines of the log so far. */
  log: Record<string, unknown>[]
  errors(): Promise<string>
}

let folders = 0
const newFolder = () => join(root, `data-${++folders}`)

function run(args: string[], environment: Record<string, string> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_'))
  return Bun.spawn([process.execPath, program, ...args], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Starts it on a free port and waits until it listens. */
async function serve(data: string, ...flags: string[]): Promise<Served> {
  const child = run(['serve', '--data', data, '--listen', '127.0.0.1:0', ...flags])
  const log: Served['log'] = []
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  void (async () => {
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true })
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        const entry = JSON.parse(line)
        log.push(entry)
        if (entry.msg === 'listening') resolve(entry.url)
      }
    }
    reject(new Error('ended before it listened'))
  })()
  const served = { child, log, url: await promise, errors: () => new Response(child.stderr).text() }
  started.push(served)
  return served
}

async function failing(args: string[], environment: Record<string, string> = {}) {
  const child = run(args, environment)
  const [error, output] = await Promise.all([
    new Response(child.stderr).text(),
    new Response(child.stdout).text(),
  ])
  return { code: await child.exited, error, output }
}

async function get(url: string): Promise<Response> {
  return fetch(url, { keepalive: false })
}

/** The process ids of the workers that answer. */
async function workersOf({ url }: Served): Promise<Map<string, number>> {
  const workers = new Map<string, number>()
  for (let i = 0; i < 40; i++) {
    const { name, pid } = (await (await get(`${url}/pid`)).json()) as { name: string; pid: number }
    workers.set(name, pid)
  }
  return workers
}

function isAlive(pid: number): boolean {
  // A process that ended but was not collected by its parent yet does nothing any more.
  const stat = `/proc/${pid}/stat`
  if (process.platform === 'linux')
    return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'))
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function until(what: () => boolean | Promise<boolean>, limitMs = 5000): Promise<void> {
  for (const deadline = Date.now() + limitMs; Date.now() < deadline; await Bun.sleep(20)) {
    if (await what()) return
  }
  throw new Error(`not within ${limitMs} ms: ${what}`)
}

describe('a start', () => {
  test('shows the generated password once, and the address', async () => {
    const data = newFolder()
    const first = await serve(data)
    expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await get(`${first.url}/pid`)).status).toBe(200)
    first.child.kill('SIGTERM')
    const errors = await first.errors()
    expect(errors).toContain('"admin", with the password generated-password')
    expect(await first.child.exited).toBe(0)
    expect(JSON.stringify(first.log)).not.toContain('generated-password')

    const second = await serve(data)
    second.child.kill('SIGTERM')
    expect(await second.errors()).toBe('')
  })

  test('is refused on a folder that another one uses', async () => {
    const data = newFolder()
    await serve(data)
    const { code, error } = await failing(['serve', '--data', data, '--listen', '127.0.0.1:0'])
    expect(code).toBe(1)
    expect(error).toStartWith(`entrepot: the data folder ${data} is in use by another Entrepot`)
  })

  test('is refused on a port that somebody else has, though the port could be shared', async () => {
    const { url } = await serve(newFolder())
    const address = new URL(url).host
    const { code, error } = await failing(['serve', '--data', newFolder(), '--listen', address])
    expect(code).toBe(1)
    expect(error).toContain(`port ${address.split(':')[1]} of 127.0.0.1 is in use`)
  })

  test('is refused on addresses that are not here', async () => {
    const start = (address: string) =>
      failing(['serve', '--data', newFolder(), '--listen', address])
    expect((await start('192.0.2.1:5000')).error).toContain(
      '192.0.2.1 is no address of this machine',
    )
  })

  test('tells wrong settings and wrong use in a sentence', async () => {
    const settings = await failing(['serve'], { ENTREPOT_WORKERS: '0', ENTREPOT_LISTEN: 'x' })
    expect(settings.code).toBe(2)
    expect(settings.error).toStartWith(
      'entrepot: 2 problems in the settings:\n  listen.address: "x"',
    )
    const usage = await failing(['serve', '--lisen', ':80'])
    expect(usage.code).toBe(2)
    expect(usage.error).toContain(
      "entrepot: error: unknown option '--lisen'\n(Did you mean --listen?)",
    )
    const byHand = await failing(['worker'])
    expect(byHand.code).toBe(2)
    expect(byHand.error).toContain('is started by "entrepot serve"')
  })
})

describe('the running processes', () => {
  test('share one port, and their metrics are summed', async () => {
    const served = await serve(newFolder(), '--workers', '2')
    const workers = await workersOf(served)
    if (process.platform === 'linux')
      expect([...workers.keys()].sort()).toEqual(['worker-1', 'worker-2'])
    const metrics = await (await get(`${served.url}/metrics`)).text()
    expect(metrics).toContain('entrepot_test_requests_total 40')
    for (const name of ['supervisor', 'jobs', 'worker-1', 'worker-2']) {
      expect(metrics).toContain(`process_resident_memory_bytes{process="${name}"}`)
    }
    expect(await (await get(`${served.url}/readyz`)).json()).toBe(true)
  })

  test('are replaced when they end', async () => {
    const served = await serve(newFolder(), '--workers', '1')
    const [before] = (await workersOf(served)).values()
    await get(`${served.url}/crash`).catch(() => {})
    await until(async () => {
      const answer = await get(`${served.url}/pid`).catch(() => undefined)
      return answer?.status === 200
    })
    const [after] = (await workersOf(served)).values()
    expect(after).not.toBe(before)
    expect(served.log).toContainEqual(
      expect.objectContaining({
        msg: 'process ended, starting another',
        name: 'worker-1',
        code: 9,
      }),
    )
    const metrics = await (await get(`${served.url}/metrics`)).text()
    expect(metrics).toContain('entrepot_process_restarts_total{process="worker-1"} 1')
  })

  test('end when the supervisor is killed, and the next start takes over', async () => {
    const data = newFolder()
    const served = await serve(data, '--workers', '2')
    const pids = [...(await workersOf(served)).values()]
    served.child.kill('SIGKILL')
    await until(() => !pids.some(isAlive), 2000)
    const address = new URL(served.url).host
    const again = await serve(data, '--listen', address)
    expect(again.url).toBe(served.url)
  })
})

describe('a stop', () => {
  test('lets a running request finish and takes no other', async () => {
    const served = await serve(newFolder(), '--workers', '1')
    const running = get(`${served.url}/slow?ms=800`)
    await Bun.sleep(100)
    served.child.kill('SIGTERM')
    await until(() => served.log.some(({ msg }) => msg === 'stopping'))
    await Bun.sleep(100)
    const refused = await get(`${served.url}/pid`).catch(() => 'refused')
    expect(refused).toBe('refused')
    expect(await (await running).text()).toBe('finished')
    expect(await served.child.exited).toBe(0)
  })

  test('during the start is a stop, not a failure', async () => {
    const args = ['serve', '--data', newFolder(), '--listen', '127.0.0.1:0']
    const child = run(args, { PREPARE_MS: '20000' })
    const output = child.stdout.getReader()
    expect(new TextDecoder().decode((await output.read()).value)).toContain('preparing')
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    expect(await new Response(child.stderr).text()).toBe('')
  })

  test('waits no longer than the grace', async () => {
    const data = newFolder()
    await Bun.write(join(root, 'short.yaml'), 'shutdown: {grace: 200ms}')
    const served = await serve(data, '--workers', '1', '--config', 'short.yaml')
    const running = get(`${served.url}/slow?ms=20000`).catch(() => 'cut off')
    await Bun.sleep(100)
    const since = Date.now()
    served.child.kill('SIGINT')
    expect(await served.child.exited).toBe(0)
    expect(Date.now() - since).toBeLessThan(2000)
    expect(await running).toBe('cut off')
  })

  test('says so to load balancers first', async () => {
    await Bun.write(join(root, 'delay.yaml'), 'shutdown: {delay: 600ms}')
    const served = await serve(newFolder(), '--config', 'delay.yaml')
    served.child.kill('SIGTERM')
    await until(() => served.log.some(({ msg }) => msg === 'stopping'))
    expect(await (await get(`${served.url}/readyz`)).json()).toBe(false)
    expect((await get(`${served.url}/pid`)).status).toBe(200)
    expect(await served.child.exited).toBe(0)
  })

  test('asked for twice is at once', async () => {
    const served = await serve(newFolder(), '--workers', '1')
    const running = get(`${served.url}/slow?ms=20000`).catch(() => 'cut off')
    await Bun.sleep(100)
    served.child.kill('SIGINT')
    await until(() => served.log.some(({ msg }) => msg === 'stopping'))
    served.child.kill('SIGINT')
    expect(await running).toBe('cut off')
    expect(await served.child.exited).toBe(0)
  })
})

test('HTTPS with a certificate of its own', async () => {
  const data = newFolder()
  const { url } = await serve(data, '--tls-self-signed')
  expect(url).toStartWith('https://127.0.0.1:')
  const ca = readFileSync(join(data, 'tls/self-signed.crt'), 'utf8')
  expect((await fetch(`${url}/pid`, { tls: { ca } })).status).toBe(200)
  const distrusted = await fetch(`${url}/pid`, { keepalive: false }).catch(() => 'distrusted')
  expect(distrusted).toBe('distrusted')
})

describe('config', () => {
  test('check and print', async () => {
    const environment = { ENTREPOT_ADMIN_PASSWORD: 'hunter2', ENTREPOT_IMAGE_VERSION: '1' }
    const printed = await failing(['config', 'print', '--listen', ':80'], environment)
    expect(printed.code).toBe(0)
    expect(printed.output).toContain('address: :80 # from the command line')
    expect(printed.output).not.toContain('hunter2')
    expect(printed.error).toContain('ENTREPOT_IMAGE_VERSION is no setting')
    expect((await failing(['config', 'check'], environment)).code).toBe(0)
    expect((await failing(['config', 'check'], { ENTREPOT_WORKERS: 'x' })).code).toBe(2)
  })

  test('check reads the certificate', async () => {
    const environment = { ENTREPOT_LISTEN_TLS_CERT: 'no.crt', ENTREPOT_LISTEN_TLS_KEY: 'no.key' }
    const { code, error } = await failing(['config', 'check'], environment)
    expect([code, error.includes('listen.tls.cert: cannot read')]).toEqual([2, true])
  })
})
