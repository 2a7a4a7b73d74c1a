import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClientMemory } from '../../src/client/client-memory.ts'
import type { Provider } from '../../src/client/provider.ts'
import { native } from '../../src/client/providers/native.ts'
import { createRemoteRegistry } from '../../src/client/remote-registry.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { createProject, createUser } from './admin-api.ts'
import { randomBytes, sha256 } from './raw-registry.ts'
import { type Credentials, type Server, startServer } from './server.ts'

/* The client to other registries, with another Entrepot at the other end. */

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

let server: Server
let user: Credentials
let caCertificate: string
beforeAll(async () => {
  server = await startServer({ tls: true })
  user = await createUser(server, 'ada')
  await createProject(server, 'team', {}, user)
  caCertificate = await readFile(join(server.dataDir, 'tls/self-signed.crt'), 'utf8')
}, 240_000)
afterAll(async () => {
  await server?.dispose()
}, 60_000)

/** This machine is the only one that is asked here. */
const loopback: Parameters<typeof createRemoteRegistry>[0]['fetch'] = (url, options = {}) => {
  const { headers, method, body, signal, caCertificate: ca } = options
  return fetch(url, {
    redirect: 'manual',
    ...(method ? { method } : {}),
    ...(headers ? { headers } : {}),
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
    ...(ca === undefined ? {} : { tls: { ca } }),
  })
}

const connect = (as: Credentials | undefined, provider: Partial<Provider> = {}) =>
  createRemoteRegistry({
    endpoint: {
      provider: 'native',
      address: server.url,
      accessKey: as?.username ?? '',
      secretKey: as?.password ?? '',
      verifyTls: true,
      caCertificate,
    },
    provider: { ...native, ...provider },
    fetch: loopback,
    memory: createClientMemory(),
    patience: { tries: 3 },
  })

const digestOf = (bytes: Uint8Array) => sha256(bytes) as Digest
const blobOf = (bytes: Uint8Array) => ({ digest: digestOf(bytes), size: bytes.length })
const openedAt = (bytes: Uint8Array, opens: number[] = []) => {
  return async (offset: number) => {
    opens.push(offset)
    return new Blob([new Uint8Array(bytes.subarray(offset))]).stream()
  }
}
const contentOf = (body: object) => {
  const text = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, ...body })
  const bytes = new TextEncoder().encode(text)
  return { digest: digestOf(bytes), mediaType: manifestType, bytes }
}
const descriptorOf = (mediaType: string, bytes: Uint8Array) => ({ mediaType, ...blobOf(bytes) })

const entriesOf = async (pages: AsyncIterable<string[]>): Promise<string[]> => {
  const entries: string[] = []
  for await (const page of pages) entries.push(...page)
  return entries
}

const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

test('pushes, reads, lists, mounts and deletes an image with its signature', async () => {
  const limits = { concurrency: 4, pageSize: 2 }
  for (const chunkSize of [undefined, 700_000]) {
    const repository = `team/app-${chunkSize ?? 'whole'}`
    const registry = connect(user, { limits, ...(chunkSize ? { chunkSize } : {}) })
    const layer = randomBytes(3_000_000)
    const config = new TextEncoder().encode(JSON.stringify({ os: 'linux', repository }))
    for (const bytes of [layer, config, new Uint8Array(0)]) {
      const blob = blobOf(bytes)
      expect(await registry.hasBlob(repository, blob.digest)).toBe(false)
      await registry.writeBlob(repository, blob, openedAt(bytes))
      expect(await registry.hasBlob(repository, blob.digest)).toBe(true)
      const stream = await registry.readBlob(repository, blob)
      expect(Buffer.compare(Buffer.from(await new Response(stream).bytes()), bytes)).toBe(0)
    }
    const image = contentOf({
      config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)],
    })
    for (const tag of ['v1', 'v2', 'v3', 'v4', 'v5']) {
      await registry.writeManifest(repository, image, { tag })
    }
    const byTag = { kind: 'tag', tag: 'v1' } as const
    const size = image.bytes.length
    const head = { digest: image.digest, mediaType: manifestType, size }
    expect(await registry.resolveManifest(repository, byTag)).toEqual(head)
    expect(await registry.readManifest(repository, byTag)).toMatchObject({ digest: image.digest })
    expect(await entriesOf(registry.listTags(repository))).toEqual(['v1', 'v2', 'v3', 'v4', 'v5'])
    expect(await entriesOf(registry.listRepositories({ namespace: 'team' }))).toContain(repository)

    const target = `${repository}/copy`
    expect(await registry.mountBlob(target, digestOf(layer), repository)).toBe(true)
    expect(await registry.mountBlob(target, digestOf(randomBytes(9)), repository)).toBe(false)

    const signature = contentOf({
      artifactType: 'application/x-signature',
      config: descriptorOf('application/vnd.oci.empty.v1+json', config),
      layers: [],
      subject: descriptorOf(manifestType, image.bytes),
    })
    await registry.writeManifest(repository, signature)
    const referrers = await registry.listReferrers(repository, image.digest)
    expect(referrers.map(({ digest }) => digest)).toEqual([signature.digest])
    // It has the API, so there is no tag for it.
    expect(await entriesOf(registry.listTags(repository))).toHaveLength(5)

    expect(await registry.deleteTag(repository, 'v5')).toBe(true)
    expect(await registry.deleteTag(repository, 'v5')).toBe(false)
    expect(await registry.deleteManifest(repository, image.digest)).toBe(true)
    expect(await registry.readManifest(repository, byTag)).toBeUndefined()
  }
}, 60_000)

test('an upload that was cut off goes on in another client', async () => {
  const bytes = randomBytes(4_000_000)
  const chunked = { chunkSize: 1_000_000 }
  const sessions: string[] = []
  const killed = new Error('killed')
  const controller = new AbortController()
  const first = connect(user, chunked).writeBlob('team/resumed', blobOf(bytes), openedAt(bytes), {
    signal: controller.signal,
    onSession: (session) => {
      sessions.push(session)
      if (sessions.length === 3) controller.abort(killed)
    },
  })
  expect(await failureOf(first)).toBe(killed)

  const opens: number[] = []
  const registry = connect(user, chunked)
  const session = sessions.at(-1)
  await registry.writeBlob('team/resumed', blobOf(bytes), openedAt(bytes, opens), { session })
  expect(opens).toEqual([2_000_000])
  expect(await registry.hasBlob('team/resumed', digestOf(bytes))).toBe(true)
}, 60_000)

test('says who may not, without the password', async () => {
  const wrong = connect({ username: user.username, password: 'not-the-password' })
  const login = await failureOf(wrong.authorize([]))
  expect(login).toMatchObject({ code: 'remote_denied', details: { problem: 'login' } })
  expect(String(login)).not.toContain('not-the-password')
  const nobody = await failureOf(connect(undefined).tryUpload('team/app'))
  expect(nobody).toMatchObject({ code: 'remote_denied', details: { problem: 'anonymous' } })
  const stranger = connect(await createUser(server, 'eve'))
  const denied = await failureOf(stranger.tryUpload('team/app'))
  expect(denied).toMatchObject({ code: 'remote_denied', details: { problem: 'permission' } })
  await connect(user).tryUpload('team/app')
}, 60_000)
