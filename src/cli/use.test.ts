import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { basic, startTestServer, type TestServer } from '../http/test-server.ts'
import { createApiClient } from './api-client.ts'
import { trust } from './trust.ts'
import { USE_FORMATS, type UseOptions, use } from './use.ts'

setDefaultTimeout(60_000)

/* The verbs that ask a server, against the real program. */

const SECRET = `it's "a" $ecret`
const MAIN = join(import.meta.dir, '../main.ts')
const PLAIN: Omit<UseOptions, 'project' | 'format'> = {
  purpose: 'build',
  build: {},
  rules: {},
  kubernetes: {},
}

let server: TestServer
let folder: string
let robot: string
let registry: string
beforeAll(async () => {
  server = await startTestServer()
  folder = mkdtempSync(join(tmpdir(), 'entrepot-use-'))
  await ask('POST', '/projects', { name: 'shop' })
  const made = await ask('POST', '/projects/shop/robots', { name: 'ci', role: 'developer' })
  robot = `shop+ci:${made.secret}`
  const added = await ask('POST', '/registries', {
    name: 'plain',
    provider: 'native',
    address: 'http://r.example.com:5000',
    namespace: 'team',
    accessKey: 'ci',
    secretKey: SECRET,
  })
  registry = added.id ?? ''
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(method: string, path: string, body: object): Promise<Record<string, string>> {
  const response = await fetch(`http://${server.host}/api/v1${path}`, {
    method,
    headers: { authorization: server.admin, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return JSON.parse(text)
}

const environment = (token = robot) => ({
  ENTREPOT_URL: `http://${server.host}/`,
  ENTREPOT_TOKEN: token,
})
const client = (token = robot) => createApiClient(environment(token))
const print = (format: string, more: Partial<UseOptions> = {}, stdin = '') =>
  use(client(), { ...PLAIN, project: 'shop', format, ...more }, async () => stdin)

/** The program itself, as a pipeline starts it. */
async function entrepot(args: string[], env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    cwd: folder,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { stdout, stderr, exitCode: await child.exited }
}

describe('use', () => {
  test('sets what a build script expects', async () => {
    const { stdout, stderr, exitCode } = await entrepot(
      [
        ...['use', 'shop', 'app', '--branch', 'fix/1', '--task', '9', '--pr', '3', '--pr', '4'],
        ...['--rule-pr-and-branch', '{{.SERVICE}}:{{.REPO_BRANCH}}-{{.REPO_PR}}'],
        ...['--service', 'web'],
      ],
      environment(),
    )
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    const shell = Bun.spawnSync([
      'sh',
      '-c',
      `${stdout}\nprintf '%s\\n' "$IMAGE" "$DOCKER_REGISTRY_SK"`,
    ])
    expect(shell.stdout.toString()).toBe(`r.example.com:5000/team/web:fix-1-3-4\n${SECRET}\n`)
  })

  test('prints each of its formats', async () => {
    const image = 'app:1'
    expect(JSON.parse(await print('json', { image })).image).toBe('r.example.com:5000/team/app:1')
    const { auths } = JSON.parse(await print('docker-config'))
    expect(auths['r.example.com:5000'].password).toBe(SECRET)
    expect(await print('login')).toStartWith('printf %s ')
    const kubernetes = { namespace: 'staging', secretName: 'pull' }
    expect(parse(await print('k8s', { kubernetes }))).toMatchObject({
      kind: 'Secret',
      metadata: { name: 'pull', namespace: 'staging' },
      data: { '.dockerconfigjson': expect.any(String) },
    })
    for (const format of ['cron-job', 'kubelet-config']) {
      await expect(print(format)).rejects.toThrow('does not expire')
    }
    expect(USE_FORMATS).toHaveLength(8)
    await expect(print('xml')).rejects.toThrow('--format must be one of env, json')
  })

  test('answers a kubelet for the registry alone', async () => {
    const asked = (image: string) =>
      JSON.stringify({
        apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
        kind: 'CredentialProviderRequest',
        image,
      })
    const purpose = { purpose: 'deploy' }
    const answer = JSON.parse(await print('kubelet', purpose, asked('r.example.com:5000/team/app')))
    expect(answer).toMatchObject({
      kind: 'CredentialProviderResponse',
      auth: { 'r.example.com:5000': { username: 'ci', password: SECRET } },
    })
    const other = await print('kubelet', purpose, asked('r.example.com:5000.evil.example/app'))
    expect(JSON.parse(other).auth).toEqual({})
    await expect(print('kubelet', purpose, 'hello')).rejects.toThrow('CredentialProviderRequest')
  })

  test('gives a login that Entrepot itself takes', async () => {
    const { login } = JSON.parse(await print('json', { registry: 'self' }))
    expect(`${login.username}:${login.password}`).toBe(robot)
    const answer = await fetch(`http://${server.host}/token?service=entrepot`, {
      headers: { authorization: basic(login.username, login.password) },
    })
    expect(answer.status).toBe(200)
  })
})

describe('trust', () => {
  test('prints the files, and what to do with them', async () => {
    const { stdout, exitCode } = await entrepot(['trust', '--client', 'docker'], environment())
    expect(exitCode).toBe(0)
    expect(stdout).toContain('# /etc/docker/daemon.json (join with what is there)')
    expect(stdout).toContain('"r.example.com:5000"')
    expect(stdout).toContain('# then: systemctl reload docker')
    expect(stdout).not.toContain('containerd')
    const whole = JSON.parse(await trust(client(), { registry, format: 'json' }))
    expect(whole.clients).toHaveLength(4)
    await expect(trust(client(), { client: 'rkt', format: 'text' })).rejects.toThrow('podman')
    await expect(trust(client(), { format: 'xml' })).rejects.toThrow('text, json')
  })
})

describe('what goes wrong', () => {
  test('is told in the words of the server', async () => {
    const { stderr, stdout, exitCode } = await entrepot(
      ['use', 'shop', '--registry', 'absent'],
      environment(),
    )
    expect(stdout).toBe('')
    expect(stderr).toContain('there is no registry "absent" for project "shop"; it may use plain')
    expect(exitCode).toBe(1)
    const wrong = await entrepot(['use', 'shop', 'App'], environment())
    expect(wrong.stderr).toContain('write "app"')
    expect(wrong.exitCode).toBe(2)
  })

  test.each([
    [{}, 'set ENTREPOT_URL'],
    [{ ENTREPOT_URL: 'registry.example.com' }, 'set ENTREPOT_URL'],
    [{ ENTREPOT_URL: 'https://a:b@registry.example.com' }, 'set ENTREPOT_URL'],
    [{ ENTREPOT_URL: 'https://registry.example.com' }, 'set ENTREPOT_TOKEN'],
    [
      { ENTREPOT_URL: 'https://registry.example.com', ENTREPOT_TOKEN_FILE: '/absent/token' },
      'cannot read /absent/token',
    ],
  ])('settings %j', (given, says) => {
    expect(() => createApiClient(given)).toThrow(says)
  })

  test('a token may be in a file', async () => {
    const file = join(folder, 'token')
    writeFileSync(file, `${robot}\n`)
    const api = createApiClient({ ...environment(''), ENTREPOT_TOKEN_FILE: file })
    const me = await api.call('GET', '/me', { answer: z.object({ name: z.string() }) })
    expect(me.name).toBe('shop+ci')
  })

  test('a server that is none, or away', async () => {
    const other = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url }) =>
        url.endsWith('/moved')
          ? Response.redirect('http://127.0.0.1:1/', 302)
          : new Response('<html>', { status: url.endsWith('/bad') ? 502 : 200 }),
    })
    const ENTREPOT_URL = `http://127.0.0.1:${other.port}`
    const api = createApiClient({ ENTREPOT_URL, ENTREPOT_TOKEN: 'ept_x' })
    const answer = z.object({})
    await expect(api.call('GET', '/bad', { answer })).rejects.toThrow('answers 502')
    await expect(api.call('GET', '/moved', { answer })).rejects.toThrow('answers 302')
    await expect(api.call('GET', '/ok', { answer })).rejects.toThrow('does not answer as')
    await other.stop(true)
    await expect(api.call('GET', '/ok', { answer })).rejects.toThrow('does not answer')
  })
})

test('no secret is in the log of the server', async () => {
  await print('env')
  await Bun.sleep(200)
  const log = JSON.stringify(server.logged())
  expect(log).toContain('api.handout.create')
  for (const secret of [SECRET, robot.split(':')[1] ?? '']) {
    expect(log).not.toContain(JSON.stringify(secret).slice(1, -1))
  }
})
