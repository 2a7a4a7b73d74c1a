import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { basic, createApiToken, createUser } from './admin-api.ts'
import { findGarage, startEngines } from './engines.ts'
import {
  type Blob,
  blobOf,
  createRawRegistry,
  imageOf,
  Refused,
  randomBytes,
} from './raw-registry.ts'
import {
  type Credentials,
  projectRoot,
  runVerb,
  type Server,
  startProcess,
  waitFor,
} from './server.ts'
import { createSmallDisk, type SmallDisk, whyNoSmallDisk } from './small-disk.ts'

/*
 * A disk that is full to its last byte, at the worst moments. Nothing that was acknowledged is lost,
 * who pulls notices nothing, who pushes is told, and when there is room again all goes on.
 */

const MB = 1_000_000
/** Above what is kept free for the database, and little enough to be filled at once. */
const DISK_MEGABYTES = 112
/** So that copies of blobs fit too, which leave more to the database than pushes do. */
const BUCKET_DISK_MEGABYTES = 352
/** Longer than a process goes by how much was free when it last looked. */
const REMEMBERED_MS = 1_100

const reason = whyNoSmallDisk()
if (reason) test.skip(`a full disk (needs ${reason})`, () => {})
else describe('a full disk', suite)

function suite() {
  let disk: SmallDisk
  let server: Server
  afterEach(async () => {
    if (server?.isRunning()) await server.stop()
    disk?.remove()
  }, 60_000)

  /** What a client is told, in the form of the registry's errors. */
  const expectFull = async (pushing: Promise<unknown>) => {
    const refused = await pushing.then(
      () => undefined,
      (error: unknown) => error,
    )
    if (!(refused instanceof Refused)) throw new Error(`this was not refused: ${refused}`)
    expect(refused.status).toBe(507)
    expect(refused.message).toMatch(/"code":"UNAVAILABLE","message":"[^"]*(full|of the disk)/)
  }

  /** Who signs in with what is right goes on, also after a mistake; who guesses is held back. */
  const expectSignIns = async (user: Credentials, apiToken: string) => {
    const signIn = async (login: Credentials) => {
      const headers = { authorization: basic(login) }
      return (await fetch(`${server.url}/api/v1/me`, { headers })).status
    }
    expect(await signIn({ ...user, password: apiToken })).toBe(200)
    expect(await signIn({ ...user, password: 'a-mistake-1' })).toBe(401)
    expect(await signIn(user)).toBe(200)
    // Each worker counts by itself, and forgives some meanwhile.
    const guess = (i: number) => signIn({ username: 'eve', password: `Guess-${i}` })
    let guesses = 0
    while (guesses < 40 && (await guess(guesses)) === 401) guesses++
    expect(guesses).toBeLessThan(40)
    expect(await signIn(user)).toBe(200)
  }

  const call = (method: string, path: string, body?: object) =>
    fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: basic(server.admin), 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })

  test('loses nothing, answers 507, goes on reading, and recovers', async () => {
    disk = createSmallDisk(DISK_MEGABYTES)
    server = await startProcess({ dataDir: disk.folder, env: { ENTREPOT_WORKERS: '2' } })
    const registry = createRawRegistry(server.url, server.admin)
    const image = imageOf([randomBytes(100_000)], 'before the disk was full')
    const stored: Blob[] = [...image.blobs]
    for (const blob of image.blobs) await registry.pushBlob('team/app', blob)
    await registry.pushManifest('team/app', 'v1', image)
    const ada = await createUser(server, 'ada')
    const bea = await createUser(server, 'bea')
    const apiToken = await createApiToken(server, bea, 'ci')

    const expectReads = async () => {
      expect(await registry.headManifest('team/app', 'v1')).toBe(image.manifest.digest)
      for (const { digest } of stored) {
        expect(blobOf(await registry.readBlob('team/app', digest)).digest).toBe(digest)
      }
    }

    // Its first chunk is safe when the disk is full in the middle of the second one.
    const late = blobOf(randomBytes(9 * MB))
    const post = await registry.request('POST', '/v2/team/app/blobs/uploads/')
    const location = post.headers.get('location') ?? ''
    const first = await registry.request('PATCH', location, { body: late.bytes.slice(0, MB) })
    expect(first.status).toBe(202)
    const second = await registry.request('PATCH', location, {
      headers: { 'content-length': String(8 * MB) },
      body: new ReadableStream({
        async start(controller) {
          controller.enqueue(late.bytes.slice(MB, 2 * MB))
          await Bun.sleep(300)
          disk.fill()
          controller.enqueue(late.bytes.slice(2 * MB))
          controller.close()
        },
      }),
    })
    expect(second.status).toBe(507)
    expect(await second.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] })
    await Bun.sleep(REMEMBERED_MS)

    // The database too, until it takes nothing more.
    let made = 0
    let answer = await call('POST', '/api/v1/projects', { name: 'project-0' })
    while (answer.status === 201 && made < 2_000) {
      made++
      await answer.arrayBuffer()
      answer = await call('POST', '/api/v1/projects', { name: `project-${made}` })
    }
    expect(answer.status).toBe(507)
    expect(await answer.json()).toMatchObject({
      code: 'storage_full',
      title: 'The storage is full',
    })

    await expectFull(registry.pushBlob('team/app', blobOf(randomBytes(100))))
    await expectFull(registry.pushBlob('team/app', blobOf(randomBytes(MB)), 'patch'))
    await expectFull(registry.pushManifest('team/app', 'v2', image))
    expect(await sameConnection(server)).toEqual([
      { status: 507, reused: false },
      { status: 200, reused: true },
    ])
    await expectReads()
    // Also for somebody who signs in for the first time from here, with a password.
    const token = await fetch(`${server.url}/token?service=x&offline_token=true`, {
      headers: { authorization: basic(ada) },
    })
    expect(token.status).toBe(200)
    expect(await token.json()).toHaveProperty('token')
    await expectSignIns(bea, apiToken)
    await waitFor('/readyz to tell', async () => {
      const ready = await fetch(`${server.url}/readyz`)
      return ready.status === 200 && /^ready, but to read only: .*disk/.test(await ready.text())
    })
    expect(await runVerb(server, 'verify')).toMatchObject({ exitCode: 0 })

    // Not even a crash is one too many: it starts on the full disk, and serves.
    await server.killAll()
    server = await startProcess({ after: server, env: server.env })
    await expectReads()

    disk.relieve()
    await waitFor('pushes to be taken again', async () => {
      const ready = await fetch(`${server.url}/readyz`)
      return (await ready.text()) === 'ready\n'
    })
    const status = await registry.request('GET', location)
    expect(status.headers.get('range')).toBe(`0-${MB - 1}`)
    const rest = await registry.request('PATCH', location, {
      headers: { 'content-range': `${MB}-${9 * MB - 1}` },
      body: late.bytes.slice(MB),
    })
    expect(rest.status).toBe(202)
    expect((await registry.request('PUT', `${location}?digest=${late.digest}`)).status).toBe(201)
    stored.push(late)
    await registry.pushManifest('team/app', 'v2', image)
    await expectReads()
    expect(await runVerb(server, 'verify', {}, ['--deep'])).toMatchObject({ exitCode: 0 })

    // What could not be kept is gone, without a sweeper: two layers are too large for the database.
    expect(filesOf(join(disk.folder, 'blobs'))).toBe(2)
    // The process for jobs went on, and has caught up.
    await waitFor('the journal to be written', async () => {
      const metrics = await (await call('GET', '/metrics')).text()
      return /^entrepot_journal_lag_seconds(\{[^}]*\})? 0$/m.test(metrics)
    })
    expect(server.log()).not.toContain('process ended')
  }, 120_000)

  const garage = findGarage() ? test : test.skip
  garage(
    'a full disk beside a bucket holds up pushes, and no pull (needs Garage)',
    async () => {
      disk = createSmallDisk(BUCKET_DISK_MEGABYTES)
      const engines = await startEngines()
      const { ENTREPOT_DATABASE_URL: _, ...bucket } = await engines.settings()
      const env = {
        ...bucket,
        ENTREPOT_WORKERS: '1',
        ENTREPOT_STORAGE_S3_REDIRECT: 'never',
      }
      server = await startProcess({ dataDir: disk.folder, env })
      const registry = createRawRegistry(server.url, server.admin)
      const image = imageOf([randomBytes(MB), randomBytes(12 * MB)], 'beside a bucket')
      for (const blob of image.blobs) await registry.pushBlob('team/app', blob)
      await registry.pushManifest('team/app', 'v1', image)
      const large = image.blobs.find(({ bytes }) => bytes.length > 8 * MB)
      if (!large) throw new Error('the image has no large blob')
      const path = `/v2/team/app/blobs/${large.digest}`

      disk.fill()
      await waitFor('/readyz to tell', async () => {
        const ready = await fetch(`${server.url}/readyz`)
        return /^ready, but to read only: .*disk of the database/.test(await ready.text())
      })
      await Bun.sleep(REMEMBERED_MS)
      await expectFull(registry.pushBlob('team/app', blobOf(randomBytes(100))))
      for (const { digest } of image.blobs) {
        expect(blobOf(await registry.readBlob('team/app', digest)).digest).toBe(digest)
      }
      // There is no room for a copy of the large one, without which Bun tells no length.
      const whole = await registry.request('GET', path)
      expect(whole.headers.get('content-length')).toBeNull()
      await whole.body?.cancel()
      const head = await registry.request('HEAD', path)
      expect(head.headers.get('content-length')).toBe(String(large.bytes.length))
      const range = `bytes=${MB}-${11 * MB - 1}`
      const part = await registry.request('GET', path, { headers: { range } })
      expect(part.status).toBe(206)
      expect(part.headers.get('content-range')).toBe(`${range.replace('=', ' ')}/${12 * MB}`)
      expect(blobOf(new Uint8Array(await part.arrayBuffer())).digest).toBe(
        blobOf(large.bytes.slice(MB, 11 * MB)).digest,
      )
      await expectClientsPull(server)

      disk.relieve()
      await waitFor('copies to be made again', async () => {
        const answer = await registry.request('GET', path)
        expect(blobOf(new Uint8Array(await answer.arrayBuffer())).digest).toBe(large.digest)
        return answer.headers.get('content-length') !== null
      })
      expect(await runVerb(server, 'verify')).toMatchObject({ exitCode: 0 })
    },
    120_000,
  )
}

/** By the real clients that there are; they prove the digests themselves. */
async function expectClientsPull({ host, admin: { username, password } }: Server) {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-pulls-'))
  const PATH = `${join(projectRoot, '.tools/bin')}:${process.env.PATH}`
  const env = { PATH, HOME: folder, DOCKER_CONFIG: folder }
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  await Bun.write(join(folder, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }))
  const image = `${host}/team/app:v1`
  const pulls = [
    ['crane', 'pull', '--insecure', '--format', 'oci', image, join(folder, 'crane')],
    ['skopeo', 'copy', '--src-tls-verify=false', `docker://${image}`, `dir:${folder}/skopeo`],
  ]
  try {
    for (const [program = '', ...options] of pulls) {
      const found = Bun.which(program, { PATH })
      if (!found) continue
      const run = Bun.spawn([found, ...options], { env, stdout: 'pipe', stderr: 'pipe' })
      const said = await new Response(run.stderr).text()
      if ((await run.exited) !== 0) throw new Error(`${program}: ${said}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A push that is refused and a pull after it, on one connection. */
async function sameConnection(server: Server) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (method: string, path: string) =>
    new Promise<{ status: number | undefined; reused: boolean }>((resolve, reject) => {
      const { hostname, port } = new URL(server.url)
      const headers = { authorization: basic(server.admin) }
      const asked = request({ agent, hostname, port, method, path, headers }, (answer) => {
        answer.resume()
        answer.on('end', () =>
          resolve({ status: answer.statusCode, reused: asked.reusedSocket === true }),
        )
      })
      asked.on('error', reject)
      asked.end()
    })
  const answers = [
    await ask('POST', '/v2/team/app/blobs/uploads/'),
    await ask('GET', '/v2/team/app/manifests/v1'),
  ]
  agent.destroy()
  return answers
}

const filesOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length
