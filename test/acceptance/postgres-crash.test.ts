import { afterAll, beforeAll, expect, test } from 'bun:test'
import { basic, createProject } from './admin-api.ts'
import { startPostgres } from './engines.ts'
import { createRawRegistry, imageOf, Refused, randomBytes } from './raw-registry.ts'
import { type Server, startProcess, waitFor } from './server.ts'
import { addRegistry } from './transfers-api.ts'

/*
 * PostgreSQL ends in the middle of the work and comes back: no process of ours ends, requests are
 * refused as the clients of each face expect it, and everything goes on by itself.
 */

const LIMIT = 240_000
/** Generous: the machine may do much else. */
const WAIT_MS = 90_000

let server: Server
let postgres: Awaited<ReturnType<typeof startPostgres>>

beforeAll(async () => {
  postgres = await startPostgres()
  const { url } = await postgres.createDatabase()
  server = await startProcess({
    env: {
      ENTREPOT_DATABASE_URL: url,
      ENTREPOT_WORKERS: '2',
      ENTREPOT_DATABASE_CONNECT_TIMEOUT: '2s',
      ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8',
    },
  })
}, LIMIT)
afterAll(() => server?.dispose())

// [face, path]
const faces = [
  ['registry', '/v2/load/app/tags/list'],
  ['token', '/token?service=entrepot&scope=repository:load/app:pull'],
  ['api', '/api/v1/projects'],
  ['charts', '/chartrepo/load/index.yaml'],
  ['hss', '/v5/load/image/registries'],
  ['zadig', '/openapi/system/registry'],
  ['ccr', '/api/ccr/v1.0/instances/ccr-manager/projects'],
]

test(
  'requests are refused cleanly while PostgreSQL is gone, and go on when it is back',
  async () => {
    await createProject(server, 'load')
    const registry = createRawRegistry(server.url, server.admin)
    const children = (await server.children()).toSorted()
    const statuses = new Set<number>()
    const acknowledged: string[] = []
    let isOver = false

    /** Pushes and pulls all the time, as clients that do not try again. */
    const client = async (name: string) => {
      for (let i = 0; !isOver; i++) {
        const image = imageOf([randomBytes(6000)], `${name}-${i}`)
        try {
          for (const blob of image.blobs) await registry.pushBlob(`load/${name}`, blob)
          await registry.pushManifest(`load/${name}`, `v${i}`, image)
          acknowledged.push(`${name} v${i} ${image.manifest.digest}`)
          await registry.readManifest(`load/${name}`, `v${i}`)
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          statuses.add(error.status)
          await Bun.sleep(50)
        }
      }
    }
    const clients = Promise.all(['a', 'b', 'c', 'd'].map(client))
    await waitFor('some pushes', () => acknowledged.length >= 20, WAIT_MS)

    await postgres.kill()
    const before = acknowledged.length
    for (const [face, path] of faces) {
      const answer = await fetch(`${server.url}${path}`, {
        headers: { authorization: basic(server.admin) },
      })
      const body = await answer.text()
      expect(`${face} ${answer.status} ${body}`).toStartWith(`${face} 503 `)
      expect(`${face} ${answer.headers.get('retry-after')}`).toBe(`${face} 1`)
      expect(body).not.toMatch(/127\.0\.0\.1|ECONNREFUSED|\bat /)
    }
    const ready = await fetch(`${server.url}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([
      503,
      'not ready: the database does not answer\n',
    ])
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)

    await postgres.startAgain()
    await waitFor('/readyz to answer 200', async () => {
      return (await fetch(`${server.url}/readyz`)).status === 200
    })
    await waitFor('pushes again', () => acknowledged.length >= before + 20, WAIT_MS)
    isOver = true
    await clients
    expect([...statuses]).toEqual([503])
    expect((await server.children()).toSorted()).toEqual(children)
    for (const entry of acknowledged) {
      const [name, tag = '', digest] = entry.split(' ')
      expect(await registry.headManifest(`load/${name}`, tag)).toBe(digest)
    }
  },
  LIMIT,
)

test(
  'jobs go on too',
  async () => {
    const { id } = await addRegistry(server, 'gone', 'http://127.0.0.1:9')
    await waitFor('the test of its connection', async () => {
      const answer = await fetch(`${server.url}/api/v1/registries/${id}`, {
        headers: { authorization: basic(server.admin) },
      })
      return /"(failing|ok)"/.test(await answer.text())
    })
  },
  LIMIT,
)
