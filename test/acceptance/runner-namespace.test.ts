import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { basic, createProject, createUser } from './admin-api.ts'
import { repositoryNames, tagNames } from './made-up-registry.ts'
import {
  createNamespaces,
  HUB_FOR_RUNNER,
  HUB_FOR_TEST,
  type Namespaces,
  REGISTRY,
  whyNoNamespaces,
} from './namespaces.ts'
import { type RunnerProcess, startRunner } from './runner-process.ts'
import { type Credentials, projectRoot, type Server, waitFor } from './server.ts'

setDefaultTimeout(240_000)

/*
 * A registry in a network that the runner reaches and the hub does not. While it is read for the
 * first time the runner is killed, the hub is killed, and the wire between them is cut.
 */

const PASSWORD = 'planted-N4x7-for-the-runner'
const REPOSITORIES = 60
const TAGS = 12
const HUB_PORT = 5000
const PROXY_PORT = 5001

const bun = join(projectRoot, 'node_modules/.bin/bun')
const missing = whyNoNamespaces()

let folder = ''
let networks: Namespaces | undefined
let runner: RunnerProcess | undefined
const children: Bun.Subprocess[] = []
afterAll(async () => {
  await runner?.dispose()
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.map(({ exited }) => exited))
  networks?.remove()
  if (folder !== '') await rm(folder, { recursive: true, force: true })
}, 60_000)

/** A process whose output goes to a file. */
function spawn(name: string, command: readonly string[], env: Record<string, string> = {}) {
  const file = Bun.file(join(folder, `${name}-${children.length}.log`))
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: file,
    stderr: file,
  })
  children.push(child)
  return child
}

type Json = Record<string, unknown>

test.skipIf(missing !== undefined)(
  `a registry that only the runner reaches is read to the end, whatever breaks on the way${
    missing === undefined ? '' : ` (needs ${missing})`
  }`,
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-namespaces-'))
    const here = createNamespaces()
    networks = here
    expect(here.hasRoute('hub', REGISTRY)).toBe(false)
    expect(here.hasRoute('runner', REGISTRY)).toBe(true)

    const acceptance = import.meta.dir
    const made = [REGISTRY, '8080', `${REPOSITORIES}`, `${TAGS}`, 'scanner', '15']
    spawn(
      'registry',
      [...here.in('registry'), bun, join(acceptance, 'made-up-registry.ts'), ...made],
      {
        MADE_UP_PASSWORD: PASSWORD,
      },
    )
    const captured = join(folder, 'captured')
    const through = [HUB_FOR_RUNNER, `${PROXY_PORT}`, HUB_FOR_TEST, `${HUB_PORT}`, captured]
    spawn('proxy', [...here.in('hub'), bun, join(acceptance, 'recording-proxy.ts'), ...through])

    const url = `http://${HUB_FOR_TEST}:${HUB_PORT}`
    const admin = { username: 'admin', password: `Aa1-${crypto.randomUUID()}` }
    const main = join(projectRoot, 'src/main.ts')
    async function startHub() {
      const child = spawn(
        'hub',
        [...here.in('hub'), bun, '--max-http-header-size=65536', main, 'serve'],
        {
          ENTREPOT_LISTEN: `${HUB_FOR_TEST}:${HUB_PORT}`,
          ENTREPOT_DATA: join(folder, 'data'),
          ENTREPOT_ADMIN_PASSWORD: admin.password,
          ENTREPOT_CONSOLE_ENABLED: 'false',
          ENTREPOT_WORKERS: '1',
          // What a hub that was killed was at is gone on with by the next one after so long.
          ENTREPOT_TRANSFERS_LEASE: '3s',
        },
      )
      await waitFor(
        'the hub',
        async () => {
          const answer = await fetch(`${url}/readyz`).catch(() => undefined)
          await answer?.arrayBuffer()
          return answer?.status === 200
        },
        60_000,
      )
      return child
    }
    let hub = await startHub()

    async function api(method: string, path: string, body?: object, as: Credentials = admin) {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: basic(as), 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await answer.text()
      return (text === '' ? {} : JSON.parse(text)) as Json
    }
    const server = { url, admin, pid: hub.pid } as Server
    const maintainer = await createUser(server, 'maria')
    await createProject(server, 'shop', {}, maintainer)

    const { token } = await api('POST', '/api/v1/runners', { id: 'edge', project: 'shop' })
    const far = await startRunner({
      hub: `http://${HUB_FOR_RUNNER}:${PROXY_PORT}`,
      token: String(token),
      args: ['--log-format', 'json'],
      prefix: here.in('runner'),
    })
    runner = far
    await waitFor('the runner', async () => {
      const { state } = await api('GET', '/api/v1/runners/edge')
      return state === 'online'
    })

    const HSS = '/v5/shop/image/registries'
    const refused = await api(
      'POST',
      HSS,
      {
        registry_name: 'far',
        registry_type: 'Harbor',
        api_version: 'V2',
        protocol: 'http',
        registry_addr: `${REGISTRY}:8080`,
        registry_username: 'scanner',
        registry_password: PASSWORD,
        connect_cluster_id: 'edge',
        get_scan_image_channel: 'Swr',
      },
      maintainer,
    )
    expect(refused).toEqual({})
    const listed = async () => {
      const { data_list: found } = await api('GET', HSS, undefined, maintainer)
      return (found as Json[])[0] ?? {}
    }
    await waitFor('the test of the connection', async () => (await listed()).status === 'success')

    const { items } = await api('GET', '/api/v1/registries')
    const [{ id } = { id: '' }] = items as { id: string }[]
    const sync = async () => {
      const { items: syncs } = await api('GET', `/api/v1/registries/${id}/syncs`)
      return (syncs as Json[])[0] ?? {}
    }
    const reached = (part: number) =>
      waitFor(
        `${part} repositories`,
        async () => Number((await sync()).repositoriesDone) >= part,
        60_000,
      )

    await reached(5)
    await far.kill()
    far.start()
    await reached(20)
    hub.kill('SIGKILL')
    await hub.exited
    hub = await startHub()
    await reached(35)
    here.setWire('down')
    await Bun.sleep(3_000)
    here.setWire('up')
    await waitFor('the sync', async () => (await sync()).finishedAt !== null, 120_000)

    expect(await sync()).toMatchObject({
      state: 'done',
      images: REPOSITORIES * TAGS,
      repositoriesTotal: REPOSITORIES,
      repositoriesDone: REPOSITORIES,
      repositoriesFailed: 0,
    })
    expect(await listed()).toMatchObject({ images_num: REPOSITORIES * TAGS, status: 'success' })
    const names: string[] = []
    for (let offset = 0; ; offset += 200) {
      const at = `${HSS}/images?limit=200&offset=${offset}`
      const { data_list: page } = await api('GET', at, undefined, maintainer)
      if ((page as Json[]).length === 0) break
      for (const { namespace, image_name: name, image_version: tag } of page as Json[]) {
        names.push(`${namespace}/${name}:${tag}`)
      }
    }
    const wanted = repositoryNames(REPOSITORIES).flatMap((repository) =>
      tagNames(TAGS).map((tag) => `${repository}:${tag}`),
    )
    expect(names.sort()).toEqual(wanted.sort())

    expect(await far.stop()).toBe(0)
    hub.kill('SIGTERM')
    await hub.exited
    await demandOnce()
    await demandNowhere(far)
  },
)

/** No task was ended twice, as the hub tells of each that ended. */
async function demandOnce(): Promise<void> {
  const ended: number[] = []
  for (const file of await readdir(folder)) {
    if (!file.startsWith('hub-')) continue
    for (const line of (await readFile(join(folder, file), 'utf8')).split('\n')) {
      if (!line.includes('"runner task done"')) continue
      const { task, kind } = JSON.parse(line) as { task: number; kind: string }
      if (kind === 'read') ended.push(task)
    }
  }
  expect(ended.length).toBeGreaterThan(REPOSITORIES / 2)
  expect(ended.length).toBe(new Set(ended).size)
  expect(ended.length).toBeLessThanOrEqual(REPOSITORIES)
}

/** The password is in no file that anybody but the runner has written, nor went to anybody. */
async function demandNowhere(far: RunnerProcess): Promise<void> {
  const texts = new Map([['the runner’s output', far.log()]])
  for (const file of await readdir(folder, { recursive: true })) {
    texts.set(file, await readFile(join(folder, file), 'latin1').catch(() => ''))
  }
  expect(texts.get('captured')?.length).toBeGreaterThan(10_000)
  for (const [file, text] of texts) {
    for (const form of [PASSWORD, btoa(`scanner:${PASSWORD}`), btoa(PASSWORD)]) {
      expect([file, text.includes(form)]).toEqual([file, false])
    }
  }
}
