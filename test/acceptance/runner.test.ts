import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { basic, createProject, createUser } from './admin-api.ts'
import { dockerRegistry, startDockerRegistry } from './docker-registry.ts'
import { type MadeUpRegistry, startMadeUpRegistry } from './made-up-registry.ts'
import { createRawRegistry, imageOf, randomBytes, sha256 } from './raw-registry.ts'
import { type RunnerProcess, startRunner } from './runner-process.ts'
import { type Credentials, type Server, startProcess, startServer, waitFor } from './server.ts'
import { callApi, copy, finished } from './transfers-api.ts'

setDefaultTimeout(120_000)

/*
 * The running server, the running `entrepot runner` and a registry that the server may not speak to:
 * what is added with the runner's id as `connect_cluster_id` is tested and read through the runner.
 */

const PASSWORD = 'planted-R8x2-for-the-runner'

let hub: Server
let registry: MadeUpRegistry
let runner: RunnerProcess | undefined
let maintainer: Credentials

beforeAll(async () => {
  registry = startMadeUpRegistry({
    hostname: '127.0.0.1',
    port: 0,
    repositories: 6,
    tags: 7,
    username: 'scanner',
    password: PASSWORD,
  })
  // Without `hub.allowedNetworks`: to the server itself loopback is forbidden.
  hub = await startServer({ env: { ENTREPOT_LOG_LEVEL: 'debug' } })
  maintainer = await createUser(hub, 'maria')
  await createProject(hub, 'shop', {}, maintainer)
})
afterAll(async () => {
  await runner?.dispose()
  await registry.stop()
  await hub.dispose()
}, 60_000)

type Json = Record<string, unknown>

async function api(method: string, path: string, body?: object, as = hub.admin) {
  const answer = await fetch(`${hub.url}${path}`, {
    method,
    headers: { authorization: basic(as), 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await answer.text()
  return { status: answer.status, text, body: (text === '' ? {} : JSON.parse(text)) as Json }
}

const HSS = '/v5/shop/image/registries'
const hss = (method: string, path: string, body?: object) =>
  api(method, `${HSS}${path}`, body, maintainer)

const asked = (cluster: string, change: object = {}) => ({
  registry_name: 'far',
  registry_type: 'Harbor',
  api_version: 'V2',
  protocol: 'http',
  registry_addr: registry.host,
  registry_username: 'scanner',
  registry_password: PASSWORD,
  connect_cluster_id: cluster,
  get_scan_image_channel: 'Swr',
  ...change,
})

async function listed(): Promise<Json> {
  const { data_list: items } = (await hss('GET', '?registry_name=far')).body as {
    data_list: Json[]
  }
  return items[0] ?? {}
}

test('an unknown runner is refused by name, and one that is not there fails the registry', async () => {
  const unknown = await hss('POST', '', asked('edge-1'))
  expect(unknown.status).toBe(400)
  expect(unknown.body.error_code).toBe('HSS.0001')
  expect(unknown.body.error_msg).toContain('local')
  const made = await api('POST', '/api/v1/runners', { id: 'edge-1', project: 'shop' })
  expect(made.status).toBe(201)
  const early = await hss('POST', '', asked('edge-1'))
  expect(early.body.error_msg).toContain('has not enrolled')
  runner = await startRunner({
    hub: hub.url,
    token: String(made.body.token),
    args: ['--allow-network', '127.0.0.0/8', '--log-format', 'json'],
  })
  await waitFor('the runner to be online', async () => {
    const { body } = await api('GET', '/api/v1/runners/edge-1')
    return body.state === 'online'
  })
})

test('a registry is tested and read through its runner alone', async () => {
  expect((await hss('POST', '', asked('edge-1'))).text).toBe('')
  expect((await listed()).connect_cluster_id).toBe('edge-1')
  await waitFor('the test of the connection', async () => (await listed()).status === 'success')
  await waitFor('the inventory', async () => (await listed()).images_num === 42)
  const { body } = await api(
    'GET',
    '/v5/shop/image/registries/images?limit=200&offset=0',
    undefined,
    maintainer,
  )
  expect(body.total_num).toBe(42)
  const [image] = body.data_list as Json[]
  expect(image).toMatchObject({ namespace: expect.stringMatching(/^team-/) })
  // All came from the runner, with the password that only it can open.
  expect([...registry.seen]).toEqual([`Basic ${btoa(`scanner:${PASSWORD}`)}`])
})

test('a second sync reads no manifest again', async () => {
  const before = registry.count()
  const { body } = await api('GET', '/api/v1/registries')
  const [{ id }] = body.items as [{ id: string }]
  await api('POST', `/api/v1/registries/${id}/sync`)
  await waitFor('the second sync', async () => {
    const { items } = (await api('GET', `/api/v1/registries/${id}/syncs`)).body as {
      items: Json[]
    }
    return items.length > 1 && items.every(({ finishedAt }) => finishedAt !== null)
  })
  const { items } = (await api('GET', `/api/v1/registries/${id}/syncs`)).body as { items: Json[] }
  expect(items[0]).toMatchObject({ state: 'done', images: 42, manifestsRead: 0 })
  // A list, six lists of tags, and one HEAD for each tag.
  expect(registry.count() - before).toBeLessThan(42 + 6 + 10)
})

test('nothing but the runner can use it, and says why', async () => {
  const { body } = await api('GET', '/api/v1/registries')
  const [{ id, name }] = body.items as [{ id: string; name: string }]
  const at = `/api/v1/registries/${id}`
  for (const [method, path, sent] of [
    ['GET', `${at}/repositories`, undefined],
    ['POST', '/api/v1/projects/shop/handouts', { registry: name, purpose: 'build' }],
    ['POST', `${at}/default`, undefined],
  ] as const) {
    const refused = await api(method, path, sent)
    expect([path, refused.status]).toEqual([path, path.endsWith('default') ? 400 : 403])
    expect(refused.text).toContain('runner')
  }
  const login = { accessKey: 'ci', secretKey: 'not-for-the-runner' }
  await callApi(hub, 'POST', '/registries', {
    ...{ name: 'ours', provider: 'native', address: 'https://127.0.0.1:9' },
    ...{ ...login, projects: ['shop'] },
  })
  const between = await api('POST', '/api/v1/transfers', {
    project: 'shop',
    source: { registry: name, repository: 'team-0/app-0', reference: '1.0.0' },
    target: { registry: 'ours', repository: 'team-0/other' },
  })
  expect(between.text).toContain('the same runner or need no password')
  expect(between.status).toBe(403)
})

test.skipIf(!dockerRegistry)(
  'the runner copies straight between registries that it reaches',
  async () => {
    const [from, to, open] = await Promise.all([
      startDockerRegistry(),
      startDockerRegistry(),
      startDockerRegistry(),
    ])
    try {
      for (const [name, { url }, at] of [
        ['docks-a', from, { runner: 'edge-1' }],
        ['docks-b', to, { runner: 'edge-1' }],
        // The server itself may not speak to it, but needs no password for it.
        ['docks-open', open, {}],
      ] as const) {
        const asked = { name, provider: 'native', address: url, projects: ['shop'], ...at }
        await callApi(hub, 'POST', '/registries', asked)
      }
      const [first, second] = [
        imageOf([randomBytes(2_000_000)], 'a'),
        imageOf([randomBytes(9)], 'b'),
      ]
      for (const [{ url }, image] of [
        [from, first],
        [open, second],
      ] as const) {
        const raw = createRawRegistry(url)
        for (const blob of image.blobs) await raw.pushBlob('team/app', blob)
        await raw.pushManifest('team/app', '1.0', image)
      }
      const between = (source: string, target: string, tag: string) =>
        copy(hub, {
          project: 'shop',
          source: { registry: source, repository: 'team/app', reference: '1.0' },
          target: { registry: target, repository: 'team/copy', tag },
        })
      const straight = await between('docks-a', 'docks-b', '1.0')
      expect(straight).toMatchObject({
        digest: first.manifest.digest,
        blobs: { total: 2, done: 2 },
      })
      expect((await between('docks-open', 'docks-b', '2.0')).digest).toBe(second.manifest.digest)
      // Within one registry nothing is sent.
      const within = await between('docks-a', 'docks-a', '1.0')
      expect(within.bytes).toMatchObject({ sent: 0, mounted: within.bytes.total })
      for (const [{ url }, tag, image] of [
        [to, '1.0', first],
        [to, '2.0', second],
        [from, '1.0', first],
      ] as const) {
        const found = await createRawRegistry(url).request(
          'GET',
          `/v2/team/copy/manifests/${tag}`,
          {
            headers: { accept: image.mediaType },
          },
        )
        expect(sha256(new Uint8Array(await found.arrayBuffer()))).toBe(image.manifest.digest)
      }
      const { body } = await api('GET', '/api/v1/audit?action=transfer.create')
      expect(JSON.stringify(body)).toContain('docks-a:team/app:1.0 → docks-b:team/copy:1.0')
    } finally {
      await Promise.all([from, to, open].map(({ stop }) => stop()))
    }
  },
)

test('images are copied by the runner, in both directions', async () => {
  const far = await startProcess()
  try {
    const image = imageOf([randomBytes(3_000_000), randomBytes(50_000)], 'far')
    await createProject(far, 'team')
    const there = createRawRegistry(far.url, far.admin)
    for (const blob of image.blobs) await there.pushBlob('team/app', blob)
    await there.pushManifest('team/app', '1.0', image)
    const { username, password } = far.admin
    await callApi(hub, 'POST', '/registries', {
      name: 'docks',
      provider: 'native',
      address: far.url,
      accessKey: username,
      secretKey: password,
      projects: ['shop'],
      runner: 'edge-1',
    })

    const source = { registry: 'docks', repository: 'team/app', reference: '1.0' }
    const target = { registry: 'self', repository: 'shop/app' }
    const pulled = await copy(hub, { project: 'shop', source, target })
    expect(pulled).toMatchObject({
      digest: image.manifest.digest,
      blobs: { total: 3, done: 3 },
      bytes: { sent: image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0) },
    })
    const here = createRawRegistry(hub.url, hub.admin)
    const found = await here.request('GET', '/v2/shop/app/manifests/1.0')
    expect(sha256(new Uint8Array(await found.arrayBuffer()))).toBe(image.manifest.digest)

    const back = await copy(hub, {
      project: 'shop',
      source: { registry: 'self', repository: 'shop/app', reference: '1.0' },
      target: { registry: 'docks', repository: 'team/back', tag: '2.0' },
    })
    expect(back.digest).toBe(image.manifest.digest)
    const answer = await there.request('GET', '/v2/team/back/manifests/2.0')
    expect(answer.status).toBe(200)
    await answer.arrayBuffer()

    const absent = await callApi<{ id: number }>(hub, 'POST', '/transfers', {
      project: 'shop',
      source: { ...source, reference: 'no-such' },
      target,
    })
    expect((await finished(hub, absent.id)).error).toMatchObject({ code: 'manifest_unknown' })
  } finally {
    await far.dispose()
  }
})

test('the credential of a runner is good for nothing else', async () => {
  const state = join(runner?.folder ?? '', 'data/runner.json')
  const { credential } = JSON.parse(await readFile(state, 'utf8')) as { credential: string }
  expect((await stat(state)).mode & 0o777).toBe(0o600)
  for (const [method, path] of [
    ['GET', '/api/v1/me'],
    ['GET', '/api/v1/runners'],
    ['POST', '/api/v1/runners'],
    ['GET', '/api/v1/registries'],
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['GET', '/v5/shop/image/registries'],
    ['GET', '/api/ccr/v1.0/instances/ccr-manager/projects?pageNo=1&pageSize=10'],
    ['GET', '/openapi/system/registry'],
  ] as const) {
    const answer = await fetch(`${hub.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      ...(method === 'POST' ? { body: '{}' } : {}),
    })
    expect([path, answer.status]).toEqual([path, 401])
  }
  const foreign = await fetch(`${hub.url}/api/v1/runners/self/tasks/999999/result`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: '{"epoch":1,"result":{"kind":"listed"}}',
  })
  expect(foreign.status).toBe(409)
})

test('the password stands in no file, log or process of the server', async () => {
  const texts = [hub.log(), runner?.log() ?? '']
  for (const file of await readdir(hub.dataDir, { recursive: true })) {
    texts.push(await readFile(join(hub.dataDir, file), 'latin1').catch(() => ''))
  }
  for (const pid of [hub.pid, ...(await hub.children()), runner?.pid() ?? 0]) {
    for (const file of ['cmdline', 'environ']) {
      texts.push(await readFile(`/proc/${pid}/${file}`, 'utf8'))
    }
  }
  const all = texts.join('\n')
  for (const form of [PASSWORD, btoa(`scanner:${PASSWORD}`), btoa(PASSWORD)]) {
    expect(all.includes(form)).toBe(false)
  }
})

test('a runner that was revoked is told so, and enrols again with a new token', async () => {
  await api('POST', '/api/v1/runners/edge-1/revoke')
  expect(await listed()).toMatchObject({ status: 'fail', fail_reason: 'CREATE_JOB_FAILED' })
  const here = runner
  if (!here) throw new Error('no runner')
  await waitFor('the runner to end', () => here.log().includes('does not know this runner'))
  const { body } = await api('POST', '/api/v1/runners/edge-1/enrolment')
  await Bun.write(join(here.folder, 'token'), String(body.token))
  here.start()
  // With the key that it has kept: the password needs not be given again.
  await waitFor('the registry to be well again', async () => {
    const { body: found } = await api('GET', '/api/v1/registries')
    const [{ id }] = found.items as [{ id: string }]
    await api('POST', `/api/v1/registries/${id}/test`)
    return (await listed()).status === 'success'
  })
  expect(await here.stop()).toBe(0)
})
