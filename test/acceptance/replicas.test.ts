import { afterAll, beforeAll, expect, test } from 'bun:test'
import { appendFileSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import pg from 'pg'
import { basic, createProject, createUser } from './admin-api.ts'
import { startCountingProxy } from './counting-proxy.ts'
import { findGarage } from './engines.ts'
import {
  type Blob,
  blobOf,
  createRawRegistry,
  imageOf,
  type RawRegistry,
  randomBytes,
} from './raw-registry.ts'
import { type Replicas, replicasOf, startReplicated } from './replicas.ts'
import { type Credentials, type Server, waitFor } from './server.ts'
import { addRegistry, callApi, getTransfer, type Transfer } from './transfers-api.ts'

/*
 * Three servers on one PostgreSQL and one bucket behave as one: what one of them acknowledged is
 * true at the others, whoever asks next. `npm run test:replicas` runs everything else on them.
 */

const LIMIT = 240_000
const MB = 1024 * 1024

let server: Server
let replicas: Replicas
let user: Credentials
/** What each replica says, without the balancer between. */
let direct: (as?: Credentials) => RawRegistry[]

/** Where Garage is missing they are skipped under a name that says so, and listed at the end. */
const testReplicas = (name: string, body: () => Promise<void>, how = test): void => {
  if (findGarage()) {
    how(name, body, LIMIT)
    return
  }
  const sentence = `replicas, ${name}: not tested, missing garage`
  test.skip(sentence, () => {})
  const list = process.env.ENTREPOT_NOT_TESTED
  if (list) appendFileSync(list, `${sentence}\n`)
}

beforeAll(async () => {
  if (!findGarage()) return
  server = await startReplicated({
    checkMs: 100,
    env: {
      ENTREPOT_SHUTDOWN_DELAY: '1s',
      ENTREPOT_TRANSFERS_LEASE: '2s',
      ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8',
    },
  })
  replicas = replicasOf(server)
  user = await createUser(server, 'ada')
  direct = (as = user) => replicas.members.map(({ url }) => createRawRegistry(url, as))
}, LIMIT)

afterAll(async () => {
  await server?.dispose()
}, LIMIT)

const expectEverywhere = async (repository: string, blob: Blob) => {
  for (const registry of direct()) {
    const read = blobOf(await registry.readBlob(repository, blob.digest))
    expect([read.digest, read.bytes.length]).toEqual([blob.digest, blob.bytes.length])
  }
}

/** Rows of the database that all of them share. */
const rowsOf = async (query: string, ...values: unknown[]) => {
  const client = new pg.Client({ connectionString: server.env.ENTREPOT_DATABASE_URL })
  await client.connect()
  try {
    return (await client.query(query, values)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

testReplicas(
  'an upload goes on at another one with each chunk',
  async () => {
    // In the row, in parts of a multipart upload, and with less than a part left between two.
    for (const sizes of [
      [1_000, 900, 1_100],
      [3_000, 6 * MB, 2 * MB, 9 * MB, 1],
      [6 * MB, 6 * MB],
    ]) {
      const chunks = sizes.map(randomBytes)
      const blob = blobOf(new Uint8Array(Buffer.concat(chunks)))
      const members = direct()
      let turn = 0
      const next = () => members[turn++ % members.length] as RawRegistry
      const post = await next().request('POST', '/v2/shop/chunks/blobs/uploads/')
      expect(post.status).toBe(202)
      let location = post.headers.get('location') ?? ''
      let sent = 0
      for (const chunk of chunks) {
        const patch = await next().request('PATCH', location, {
          headers: {
            'content-type': 'application/octet-stream',
            'content-range': `${sent}-${sent + chunk.length - 1}`,
          },
          body: chunk,
        })
        expect([patch.status, await patch.text()]).toEqual([202, ''])
        sent += chunk.length
        expect(patch.headers.get('range')).toBe(`0-${sent - 1}`)
        location = patch.headers.get('location') ?? ''
        const state = await next().request('GET', location)
        expect([state.status, state.headers.get('range')]).toEqual([204, `0-${sent - 1}`])
      }
      const put = await next().request('PUT', `${location}?digest=${blob.digest}`)
      expect([put.status, await put.text()]).toEqual([201, ''])
      await expectEverywhere('shop/chunks', blob)
    }
  },
  test.concurrent,
)

testReplicas(
  'what one does to tags and manifests the others know at once',
  async () => {
    const members = direct()
    for (let round = 0; round < 6; round++) {
      const writer = members[round % members.length] as RawRegistry
      const image = imageOf([randomBytes(10_000)], `round ${round}`)
      for (const blob of image.blobs) await writer.pushBlob('shop/moving', blob)
      await writer.pushManifest('shop/moving', 'latest', image)
      const { digest } = image.manifest
      for (const reader of members) {
        expect(await reader.headManifest('shop/moving', 'latest')).toBe(digest)
      }
      const remover = members[(round + 1) % members.length] as RawRegistry
      const removed = await remover.request('DELETE', `/v2/shop/moving/manifests/${digest}`)
      expect(removed.status).toBe(202)
      for (const reader of members) {
        expect(await reader.headManifest('shop/moving', digest)).toBeUndefined()
        expect(await reader.headManifest('shop/moving', 'latest')).toBeUndefined()
      }
    }
  },
  test.concurrent,
)

/** A registry token from one replica. */
const tokenFrom = async (url: string, as: Credentials, scope: string): Promise<string> => {
  const answer = await fetch(`${url}/token?service=entrepot&scope=${scope}`, {
    headers: { authorization: basic(as) },
  })
  const { token } = (await answer.json()) as { token?: string }
  if (!token) throw new Error(`no token: ${answer.status}`)
  return token
}

testReplicas(
  'a token of one is good at all, and a right that one takes away is gone everywhere in 5 seconds',
  async () => {
    await createProject(server, 'vault')
    const image = imageOf([], 'secret')
    const [first] = direct(server.admin)
    for (const blob of image.blobs) await first?.pushBlob('vault/app', blob)
    await first?.pushManifest('vault/app', 'v1', image)

    const people = await Promise.all(
      ['changed', 'disabled', 'left', 'stays'].map((name) => createUser(server, name)),
    )
    for (const { username } of people) {
      const path = `/projects/vault/members/${username}`
      await callApi(server, 'PUT', path, { role: 'guest' })
    }
    const robot = await callApi<{ id: number; name: string; secret: string }>(
      server,
      'POST',
      '/projects/vault/robots',
      { name: 'ci', role: 'guest' },
    )
    const logins: Credentials[] = [...people, { username: robot.name, password: robot.secret }]
    const urls = replicas.members.map(({ url }) => url)
    const tokens = await Promise.all(
      logins.map((login, i) =>
        tokenFrom(urls[i % urls.length] ?? '', login, 'repository:vault/app:pull'),
      ),
    )
    /** Who gets the manifest, by Basic and by token, from each replica. */
    const statuses = async (who: number) => {
      const login = logins[who] ?? user
      const answers = urls.flatMap((url) =>
        [basic(login), `Bearer ${tokens[who]}`].map(async (authorization) => {
          const answer = await fetch(`${url}/v2/vault/app/manifests/v1`, {
            headers: { authorization },
            keepalive: false,
          })
          await answer.arrayBuffer()
          return answer.status
        }),
      )
      return Promise.all(answers)
    }
    const all = (status: number) => urls.flatMap(() => [status, status])
    // Each process remembers all of them now.
    for (const who of logins.keys()) expect(await statuses(who)).toEqual(all(200))

    await callApi(server, 'PUT', '/users/changed/password', { password: 'Another-harbour-7' })
    await callApi(server, 'PATCH', '/users/disabled', { disabled: true })
    await fetch(`${server.url}/api/v1/projects/vault/members/left`, {
      method: 'DELETE',
      headers: { authorization: basic(server.admin) },
    })
    const removed = await fetch(`${server.url}/api/v1/projects/vault/robots/${robot.id}`, {
      method: 'DELETE',
      headers: { authorization: basic(server.admin) },
    })
    expect(removed.status).toBe(204)
    await Bun.sleep(5_000)
    expect(await statuses(0)).toEqual(all(401))
    expect(await statuses(1)).toEqual(all(401))
    expect(await statuses(2)).toEqual(all(403))
    expect(await statuses(3)).toEqual(all(200))
    expect(await statuses(4)).toEqual(all(401))
  },
  test.concurrent,
)

testReplicas(
  'a schedule fires once',
  async () => {
    const asked = await rowsOf('update job_schedule set next_at = 1 returning name')
    expect(asked.length).toBeGreaterThan(5)
    const fired = () =>
      rowsOf(
        `select name, count(*)::int as times from job
         where unique_key like 'schedule:%' and payload = '{}' and name <> 'usage.fold'
         group by name order by name`,
      )
    const isFired = () => rowsOf('select name from job_schedule where next_at = 1')
    await waitFor('the schedules to fire', async () => (await isFired()).length === 0)
    // Each of the three looks once a second.
    await Bun.sleep(1_500)
    const names = asked.map(({ name }) => name).filter((name) => name !== 'usage.fold')
    expect(await fired()).toEqual(names.sort().map((name) => ({ name, times: 1 })))
    const unfinished = () =>
      rowsOf(
        "select name, error from job where unique_key like 'schedule:%' and finished_at is null",
      )
    const failed = () =>
      rowsOf("select name, error from job where unique_key like 'schedule:%' and error is not null")
    await waitFor(
      'what was fired to end or fail',
      async () => (await unfinished()).length === 0 || (await failed()).length > 0,
    )
    expect(await failed()).toEqual([])
  },
  test.concurrent,
)

/** Which of the processes has a connection from one of these ports to `to`, from /proc (Linux). */
const connectedFrom = async (
  ports: ReadonlySet<number>,
  to: number,
  pids: readonly number[],
): Promise<number[]> => {
  const addressOf = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const addresses = [...ports].map(addressOf)
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
  const inodes = lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, from = '', remote]) => addresses.includes(from) && remote === addressOf(to))
    .map((fields) => `socket:[${fields[9]}]`)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const files = await readdir(`/proc/${pid}/fd`).catch(() => [])
      const links = await Promise.all(
        files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')),
      )
      return links.some((link) => inodes.includes(link)) ? pid : undefined
    }),
  )
  return found.filter((pid) => pid !== undefined)
}

testReplicas(
  'a job has one owner, and another one goes on with it when that is killed',
  async () => {
    const proxy = startCountingProxy(server.url, { bytesPerSecond: 2 * MB })
    try {
      const layer = blobOf(randomBytes(8 * MB))
      const image = imageOf([layer.bytes], 'copied')
      const [registry] = direct(server.admin)
      await createProject(server, 'mirror')
      for (const blob of image.blobs) await registry?.pushBlob('shop/source', blob)
      await registry?.pushManifest('shop/source', 'v1', image)
      await addRegistry(server, 'itself', proxy.url, {
        namespace: 'mirror',
        accessKey: server.admin.username,
        secretKey: server.admin.password,
      })
      const { id } = await callApi<Transfer>(server, 'POST', '/transfers', {
        source: { registry: 'self', repository: 'shop/source', reference: 'v1' },
        target: { registry: 'itself' },
      })
      await waitFor('the copy to be under way', () => proxy.total() > MB)
      const port = Number(new URL(proxy.url).port)
      const owners: Server[] = []
      for (const member of replicas.members) {
        const pids = await member.children()
        if ((await connectedFrom(proxy.writers, port, pids)).length > 0) owners.push(member)
      }
      expect(owners.length).toBe(1)
      await owners[0]?.killAll()
      // A request of ours may be among what the killed one had.
      const state = () =>
        getTransfer(server, id).then(
          ({ state }) => state,
          () => 'unknown',
        )
      await waitFor('the copy to end', async () => (await state()) === 'done', 60_000)
      const runs = await rowsOf("select attempts from job where name = 'transfer'")
      expect(runs).toEqual([{ attempts: '2' }])
      await replicas.revive()
      await expectEverywhereAsAdmin('mirror/source', layer)
    } finally {
      await proxy.stop()
    }
  },
)

const expectEverywhereAsAdmin = async (repository: string, blob: Blob) => {
  for (const registry of direct(server.admin)) {
    expect(blobOf(await registry.readBlob(repository, blob.digest)).digest).toBe(blob.digest)
  }
}

testReplicas(
  'one that is told to stop says so first, and nobody behind the balancer notices',
  async () => {
    const [leaving] = replicas.members
    if (!leaving) throw new Error('no replica')
    const own = createRawRegistry(leaving.url, user)
    const blob = blobOf(randomBytes(300_000))
    const post = await own.request('POST', '/v2/shop/last/blobs/uploads/')
    const location = new URL(post.headers.get('location') ?? '', leaving.url)
    location.searchParams.set('digest', blob.digest)

    let stopped: Promise<number> | undefined
    let readiness = 200
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(blob.bytes.subarray(0, 100_000))
        await Bun.sleep(200)
        stopped = leaving.stop()
        await waitFor('/readyz to say no while requests are still taken', async () => {
          readiness = (await fetch(`${leaving.url}/readyz`, { keepalive: false })).status
          return readiness !== 200
        })
        // Beyond the delay: the rest comes when no new request is taken any more.
        await Bun.sleep(1_500)
        controller.enqueue(blob.bytes.subarray(100_000))
        controller.close()
      },
    })
    const through = createRawRegistry(server.url, user)
    let ended = false
    const others = (async () => {
      const seen = new Set<number>()
      while (!ended) seen.add((await through.request('GET', '/v2/')).status)
      return [...seen]
    })()
    const put = await own.request('PUT', location.href, { body })
    expect([put.status, await put.text()]).toEqual([201, ''])
    expect(readiness).toBe(503)
    expect(await stopped).toBe(0)
    ended = true
    expect(await others).toEqual([200])
    await replicas.revive()
    await expectEverywhere('shop/last', blob)
  },
)
