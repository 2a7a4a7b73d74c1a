import { afterAll, expect, test } from 'bun:test'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { basic } from './admin-api.ts'
import { type Server, startServer } from './server.ts'

/*
 * The secret of a registry is planted, used for all that it is used for, and looked for wherever
 * somebody may look who must not see it.
 */

const SECRET = 'planted-Q7x9-kept-by-nobody'
/** Also as Basic sends it. */
const FORMS = [SECRET, btoa(`bob:${SECRET}`), encodeURIComponent(`bob:${SECRET}`)]

let server: Server | undefined
afterAll(async () => server?.dispose(), 60_000)

test('the secret of a registry is nowhere to be found', async () => {
  const env = { ENTREPOT_LOG_LEVEL: 'debug', ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8' }
  const hub = await startServer({ env })
  server = hub
  const told: string[] = []
  async function call(method: string, path: string, body?: object) {
    const answer = await fetch(`${hub.url}${path}`, {
      method,
      headers: { authorization: basic(hub.admin), 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await answer.text()
    told.push(`${method} ${path}: ${text}`)
    return text
  }

  const registry = {
    name: 'one',
    provider: 'native',
    address: hub.url,
    accessKey: 'bob',
    secretKey: SECRET,
  }
  const { id } = JSON.parse(await call('POST', '/api/v1/registries', registry)) as { id: string }
  const at = `/api/v1/registries/${id}`
  const { name: _, ...draft } = registry
  await call('POST', '/api/v1/registries/test', draft)
  expect(await call('POST', `${at}/test`)).toContain('"step":"login","result":"failed"')
  await call('POST', '/api/v1/registries', { ...registry, provider: 'no-such' })
  await call('PATCH', at, { notes: 'new' })
  await call('GET', `${at}/repositories`)
  await call('GET', `${at}/image?repository=a/b&reference=1`)
  await call('POST', '/api/v1/projects', { name: 'shop' })
  const transfer = {
    project: 'shop',
    source: { registry: 'one', repository: 'a/b', reference: '1' },
    target: { registry: 'self' },
  }
  await call('POST', '/api/v1/transfers', transfer)
  const finished = async () => /"state":"failed"/.test(await call('GET', '/api/v1/transfers'))
  for (let tries = 0; tries < 40 && !(await finished()); tries++) await Bun.sleep(500)
  for (const path of [
    at,
    `${at}/uses`,
    `${at}/trust`,
    '/api/v1/audit',
    '/api/v1/jobs',
    '/metrics',
  ]) {
    await call('GET', path)
  }
  await call('DELETE', `${at}/nothing`)

  const processes: string[] = []
  for (const pid of [hub.pid, ...(await hub.children())]) {
    for (const file of ['cmdline', 'environ']) {
      processes.push(await readFile(`/proc/${pid}/${file}`, 'utf8'))
    }
  }
  const files: string[] = []
  for (const file of await readdir(hub.dataDir, { recursive: true })) {
    // Folders cannot be read, and blobs come and go.
    const content = await readFile(join(hub.dataDir, file)).catch(() => Buffer.alloc(0))
    files.push(content.toString('latin1'))
  }

  expect(told.length).toBeGreaterThan(15)
  expect(processes.join('').length).toBeGreaterThan(100)
  expect(files.join('')).toContain('registry.create')
  for (const form of FORMS) {
    expect(told.filter((text) => text.includes(form))).toEqual([])
    expect(processes.filter((text) => text.includes(form))).toEqual([])
    expect(files.filter((text) => text.includes(form))).toEqual([])
    expect(hub.log()).not.toContain(form)
  }
}, 120_000)
