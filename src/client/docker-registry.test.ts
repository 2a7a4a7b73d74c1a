import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { importPKCS8, SignJWT } from 'jose'
import { createSelfSigned } from '../lib/self-signed.ts'
import type { Digest } from '../oci/digest.ts'
import type { Endpoint } from './provider.ts'
import { createAuthority, type TestAuthority } from './test-authority.ts'
import {
  type DockerRegistry,
  findPrograms,
  skipWithoutPrograms,
  startDockerRegistry,
} from './test-docker-registry.ts'
import { digestOf } from './test-fault-server.ts'
import { bytesOf, entriesOf, failureOf, opened, remoteOf } from './test-remote.ts'

setDefaultTimeout(60_000)

/* The client against a real registry that is not ours. */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const USER = { accessKey: 'robot$ci', secretKey: 'pl4nted: secret' }
const TITLE = 'the client against docker-registry'
const missing = findPrograms('docker-registry', 'openssl')
if (missing.length > 0) skipWithoutPrograms(TITLE, missing)

describe.skipIf(missing.length > 0)(TITLE, () => {
  const stops: (() => unknown)[] = []
  let authority: TestAuthority
  let htpasswd: string
  beforeAll(async () => {
    authority = await createAuthority()
    const hash = await Bun.password.hash(USER.secretKey, { algorithm: 'bcrypt', cost: 4 })
    htpasswd = `${USER.accessKey}:${hash}\n`
  })
  afterAll(async () => {
    for (const stop of stops) await stop()
  })

  async function start(settings: Parameters<typeof startDockerRegistry>[0]) {
    const registry = await startDockerRegistry(settings)
    stops.push(registry.stop)
    return registry
  }

  describe('over TLS with an authority of its own, by password', () => {
    let docker: DockerRegistry
    beforeAll(async () => {
      docker = await start({ tls: authority.server, htpasswd })
    })

    test('does everything', () =>
      doEverything(docker.url, { ...USER, caCertificate: authority.caCertificate }))

    test('is not trusted without its authority, unless nobody looks', async () => {
      const strict = remoteOf(docker.url, { endpoint: USER })
      expect(await failureOf(strict.registry.ping())).toMatchObject({
        code: 'remote_unreachable',
        problem: 'certificate_untrusted',
      })
      const lax = remoteOf(docker.url, { endpoint: { ...USER, verifyTls: false } })
      expect(await entriesOf(lax.registry.listTags('none/such'))).toEqual([])
    })

    test('refuses a wrong password, and nobody', async () => {
      const { caCertificate } = authority
      for (const keys of [
        { ...USER, secretKey: 'wrong' },
        { accessKey: '', secretKey: '' },
      ]) {
        const { registry } = remoteOf(docker.url, { endpoint: { ...keys, caCertificate } })
        const problem = keys.accessKey === '' ? 'anonymous' : 'login'
        const denied = { code: 'remote_denied', problem }
        expect(await failureOf(registry.authorize([]))).toMatchObject(denied)
        expect(await failureOf(registry.tryUpload('a/b'))).toMatchObject(denied)
      }
    })
  })

  test('without TLS and without passwords it does everything', async () => {
    const docker = await start({})
    await doEverything(docker.url, {})
    await doEverything(docker.url, {}, 1_000_000)
  })

  describe('with a token server', () => {
    let docker: DockerRegistry
    let granted: string[]
    let mayPush = true
    beforeAll(async () => {
      const signer = createSelfSigned({ names: ['tokens.test'], now: Date.now(), days: 2 })
      const issue = await createIssuer(signer)
      const tokens = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        async fetch(request) {
          const { searchParams } = new URL(request.url)
          const wanted = Buffer.from(`${USER.accessKey}:${USER.secretKey}`).toString('base64')
          if (request.headers.get('authorization') !== `Basic ${wanted}`) {
            return Response.json({ errors: [{ code: 'UNAUTHORIZED' }] }, { status: 401 })
          }
          granted.push(...searchParams.getAll('scope'))
          return Response.json({ token: await issue(searchParams.getAll('scope'), mayPush) })
        },
      })
      stops.push(() => tokens.stop(true))
      const realm = `http://127.0.0.1:${tokens.port}/token`
      const token = { realm, service: 'test', issuer: 'tokens.test', certificate: signer.cert }
      docker = await start({ token })
      granted = []
    })

    test('does everything', () => doEverything(docker.url, USER))

    test('asks for what it needs, and tells what it may not', async () => {
      granted = []
      const { registry } = remoteOf(docker.url, { endpoint: USER })
      await registry.hasBlob('a/b', digestOf('x'))
      expect(granted).toEqual(['repository:a/b:pull'])
      mayPush = false
      const failure = await failureOf(registry.tryUpload('a/b'))
      mayPush = true
      expect(failure).toMatchObject({ code: 'remote_denied', problem: 'permission' })
      const wrong = remoteOf(docker.url, { endpoint: { ...USER, secretKey: 'wrong' } })
      expect(await failureOf(wrong.registry.authorize([]))).toMatchObject({ problem: 'login' })
    })
  })
})

/** Pushes and reads an image with a signature, lists, mounts, deletes. */
async function doEverything(url: string, endpoint: Partial<Endpoint>, chunkSize?: number) {
  const { registry } = remoteOf(url, { endpoint, provider: chunkSize ? { chunkSize } : {} })
  const repository = `team/app-${chunkSize ?? 0}`
  const layer = randomBytes(5_000_000)
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', note: repository }),
  )
  const descriptorOf = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  })
  for (const bytes of [layer, config]) {
    const blob = { digest: digestOf(bytes), size: bytes.length }
    expect(await registry.hasBlob(repository, blob.digest)).toBe(false)
    await registry.writeBlob(repository, blob, opened(bytes))
    expect(await registry.hasBlob(repository, blob.digest)).toBe(true)
    expect(await bytesOf(await registry.readBlob(repository, blob))).toEqual(Buffer.from(bytes))
  }
  const layerBlob = { digest: digestOf(layer), size: layer.length }
  const tail = await registry.readBlob(repository, layerBlob, { offset: 4_000_000 })
  expect(await bytesOf(tail)).toEqual(layer.subarray(4_000_000))

  const image = contentOf({
    config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  for (const tag of ['v1', 'v2', 'v3', 'v4', 'v5']) {
    await registry.writeManifest(repository, image, { tag })
  }
  const byTag = { kind: 'tag', tag: 'v1' } as const
  expect(await registry.resolveManifest(repository, byTag)).toEqual({
    digest: image.digest,
    mediaType: MANIFEST,
    size: image.bytes.length,
  })
  const read = await registry.readManifest(repository, byTag)
  expect(read && Buffer.compare(read.bytes, image.bytes)).toBe(0)
  expect(await registry.resolveManifest(repository, { kind: 'tag', tag: 'v9' })).toBeUndefined()
  // This one tells all tags at once, in any order, however few are asked for.
  const tags = await entriesOf(registry.listTags(repository))
  expect(tags.sort()).toEqual(['v1', 'v2', 'v3', 'v4', 'v5'])
  expect(await entriesOf(registry.listRepositories({ namespace: 'team' }))).toContain(repository)

  expect(await registry.mountBlob(`${repository}/copy`, layerBlob.digest, repository)).toBe(true)
  expect(await registry.hasBlob(`${repository}/copy`, layerBlob.digest)).toBe(true)
  expect(await registry.mountBlob(`${repository}/copy`, digestOf('none'), repository)).toBe(false)

  const signature = contentOf({
    artifactType: 'application/x-signature',
    config: descriptorOf('application/vnd.oci.empty.v1+json', config),
    layers: [],
    subject: descriptorOf(MANIFEST, image.bytes),
  })
  await registry.writeManifest(repository, signature)
  const referrers = () => registry.listReferrers(repository, image.digest)
  expect((await referrers()).map(({ digest }) => digest)).toEqual([signature.digest])
  expect(await registry.deleteManifest(repository, signature.digest)).toBe(true)
  expect(await referrers()).toEqual([])
  expect(await registry.deleteManifest(repository, image.digest)).toBe(true)
  expect(await registry.deleteManifest(repository, image.digest)).toBe(false)
  await registry.tryUpload(repository)
}

function contentOf(body: object): { digest: Digest; mediaType: string; bytes: Buffer } {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, ...body }))
  return { digest: digestOf(bytes), mediaType: MANIFEST, bytes }
}

/** Tokens as distribution 2.8 takes them: with the certificate of their key in the header. */
async function createIssuer({ cert, key }: { cert: string; key: string }) {
  const secret = await importPKCS8(key, 'ES256')
  const x5c = [new X509Certificate(cert).raw.toString('base64')]
  return (scopes: string[], mayPush: boolean) => {
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':')
      const list = actions.split(',').filter((action) => mayPush || action !== 'push')
      return { type, name, actions: list }
    })
    return new SignJWT({ access, jti: createHash('sha256').update(String(scopes)).digest('hex') })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c })
      .setIssuer('tokens.test')
      .setAudience('test')
      .setSubject('robot')
      .setIssuedAt()
      .setNotBefore('-1m')
      .setExpirationTime('5m')
      .sign(secret)
  }
}
