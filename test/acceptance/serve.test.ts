import { afterEach, expect, test } from 'bun:test'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { basic, createProject, createUser } from './admin-api.ts'
import { blobOf, createRawRegistry, imageOf } from './raw-registry.ts'
import { type Credentials, freePort, runVerb, type Server, startServer } from './server.ts'

const started: Server[] = []
const start = async (...args: Parameters<typeof startServer>): Promise<Server> => {
  const server = await startServer(...args)
  started.push(server)
  return server
}

afterEach(async () => {
  for (const server of started.splice(0)) await server.dispose()
}, 60_000)

const bytes = (text: string) => new TextEncoder().encode(text)
const image = imageOf([bytes('a first layer'), bytes('a second layer')], 'serve')

/** The token that a challenge asks for, fetched as clients do (token.md of distribution). */
const tokenFor = async (challenge: string, user?: Credentials): Promise<string> => {
  const parts = /^Bearer realm="([^"]+)",service="([^"]+)"(?:,scope="([^"]+)")?$/.exec(challenge)
  const [, realm = '', service = '', scope] = parts ?? []
  const url = new URL(realm)
  url.searchParams.set('service', service)
  if (scope) url.searchParams.set('scope', scope)
  const answer = await fetch(url, user ? { headers: { authorization: basic(user) } } : {})
  const { token } = (await answer.json()) as { token?: string }
  return token ?? ''
}

test('pushes with a Bearer token by challenge, and the content is there after a restart', async () => {
  const server = await start()
  const user = await createUser(server, 'ada')
  await createProject(server, 'open', { public: true })

  const ping = await fetch(`${server.url}/v2/`)
  expect(ping.status).toBe(401)
  expect(ping.headers.get('docker-distribution-api-version')).toBe('registry/2.0')

  const uploads = `${server.url}/v2/ada-app/uploads-need/a-token/blobs/uploads/`
  const refused = await fetch(uploads, { method: 'POST' })
  expect(refused.status).toBe(401)
  const challenge = refused.headers.get('www-authenticate') ?? ''
  expect(challenge).toEndWith('scope="repository:ada-app/uploads-need/a-token:pull,push"')
  const authorization = `Bearer ${await tokenFor(challenge, user)}`
  const post = await fetch(uploads, { method: 'POST', headers: { authorization } })
  expect(post.status).toBe(202)

  const registry = createRawRegistry(server.url, user)
  for (const blob of image.blobs) await registry.pushBlob('ada-app/web', blob, 'patch')
  await registry.pushManifest('ada-app/web', 'v1', image)
  const administrator = createRawRegistry(server.url, server.admin)
  for (const blob of image.blobs) await administrator.pushBlob('open/web', blob)
  await administrator.pushManifest('open/web', 'v1', image)

  expect(await server.stop()).toBe(0)
  const again = await start({ after: server })
  expect(await registry.headManifest('ada-app/web', 'v1')).toBe(image.manifest.digest)
  for (const { digest } of image.blobs) {
    expect(blobOf(await registry.readBlob('ada-app/web', digest)).digest).toBe(digest)
  }

  // Docker and podman take realm and service from the ping and fetch an anonymous token.
  const pingChallenge = ping.headers.get('www-authenticate') ?? ''
  const anonymous = async (repository: string) => {
    const scope = `${pingChallenge},scope="repository:${repository}:pull"`
    const token = await tokenFor(scope)
    const answer = await fetch(`${again.url}/v2/${repository}/manifests/v1`, {
      headers: { authorization: `Bearer ${token}` },
    })
    await answer.arrayBuffer()
    return answer.status
  }
  expect(await anonymous('open/web')).toBe(200)
  expect(await anonymous('ada-app/web')).toBe(401)
}, 240_000)

test('keeps its data folder to its owner, and refuses it to a second process', async () => {
  const server = await start()
  expect((await stat(server.dataDir)).mode & 0o077).toBe(0)
  const second = await runVerb(server, 'serve', { ENTREPOT_LISTEN: `127.0.0.1:${freePort()}` })
  expect(second.exitCode).not.toBe(0)
  expect(second.output).toContain(server.dataDir)
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
}, 240_000)

test('an upload that runs when the server is told to stop finishes', async () => {
  const server = await start()
  const user = await createUser(server, 'bob')
  const registry = createRawRegistry(server.url, user)
  const post = await registry.request('POST', '/v2/bob-app/web/blobs/uploads/')
  const location = new URL(post.headers.get('location') ?? '', server.url)
  const blob = blobOf(crypto.getRandomValues(new Uint8Array(60_000)))
  location.searchParams.set('digest', blob.digest)
  let stopping: Promise<number> | undefined
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(blob.bytes.subarray(0, 20_000))
      await Bun.sleep(500)
      stopping = server.stop()
      await Bun.sleep(1_500)
      controller.enqueue(blob.bytes.subarray(20_000))
      controller.close()
    },
  })
  const put = await registry.request('PUT', location.href, { body })
  expect([put.status, await put.text()]).toEqual([201, ''])
  expect(await stopping).toBe(0)
  await start({ after: server })
  expect(await registry.readBlob('bob-app/web', blob.digest)).toEqual(blob.bytes)
}, 240_000)

test('serves HTTPS with a certificate of its own making', async () => {
  const server = await start({ tls: true })
  const ca = await readFile(join(server.dataDir, 'tls/self-signed.crt'), 'utf8')
  const ping = await fetch(`${server.url}/v2/`, { tls: { ca } })
  expect(ping.status).toBe(401)
  // The realm follows the request's scheme and host where no public URL is set.
  expect(ping.headers.get('www-authenticate')).toStartWith(`Bearer realm="${server.url}/`)
}, 240_000)
