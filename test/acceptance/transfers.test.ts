import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { createProject } from './admin-api.ts'
import { type DockerRegistry, dockerRegistry, startDockerRegistry } from './docker-registry.ts'
import { type MultiArch, missingFrom, multiArchOf, pushMultiArch } from './multi-arch.ts'
import { createRawRegistry, type RawRegistry } from './raw-registry.ts'
import { projectRoot, type Server, startServer } from './server.ts'
import { addRegistry, callApi, copy, finished, type Transfer } from './transfers-api.ts'

/**
 * Copies between real registries: Entrepot, a second Entrepot, and CNCF distribution as Debian
 * packages it. What arrives is compared byte for byte by a client of our own.
 */

setDefaultTimeout(180_000)

const LOOPBACK = { ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8' }
const PLATFORMS = ['amd64', 'arm64', 's390x'] as const

let here: Server
let there: Server
let docker: DockerRegistry | undefined
let ours: RawRegistry
let image: MultiArch

beforeAll(async () => {
  here = await startServer({ env: LOOPBACK })
  there = await startServer({ env: LOOPBACK })
  ours = createRawRegistry(here.url, here.admin)
  await createProject(here, 'shop')
  await createProject(there, 'mirror')
  await addRegistry(here, 'branch', there.url, {
    namespace: 'mirror',
    accessKey: there.admin.username,
    secretKey: there.admin.password,
  })
  docker = dockerRegistry ? await startDockerRegistry() : undefined
  if (docker) await addRegistry(here, 'docker', docker.url)
  image = multiArchOf(PLATFORMS, [2_000_000, 3_000_000, 50_000])
  await pushMultiArch(ours, 'shop/app', '1.0', image)
})
afterAll(async () => {
  await docker?.stop()
  await here?.dispose()
  await there?.dispose()
})

const fromUs = { registry: 'self', repository: 'shop/app', reference: '1.0' }

test('to another Entrepot, with what is attached, and nothing the second time', async () => {
  const theirs = createRawRegistry(there.url, there.admin)
  const first = await copy(here, { source: fromUs, target: { registry: 'branch' } })
  expect(await missingFrom(theirs, 'mirror/app', '1.0', image)).toEqual([])
  expect(first).toMatchObject({ digest: image.index.digest, bytes: { sent: first.bytes.total } })
  const second = await copy(here, { source: fromUs, target: { registry: 'branch', tag: '1.1' } })
  expect(second.bytes).toMatchObject({ sent: 0, skipped: second.bytes.total })
  expect(await theirs.headManifest('mirror/app', '1.1')).toBe(image.index.digest)

  const target = { registry: 'branch', repository: 'mirror/other/app' }
  const source = { registry: 'branch', repository: 'mirror/app', reference: '1.0' }
  const within = await copy(here, { project: 'shop', source, target })
  expect(within.bytes).toMatchObject({ sent: 0, mounted: within.bytes.total })
  expect(await missingFrom(theirs, 'mirror/other/app', '1.0', image)).toEqual([])
})

describe.skipIf(!dockerRegistry)('docker-registry', () => {
  test('takes it from us, and gives it back, with what is attached', async () => {
    const theirs = createRawRegistry(docker?.url ?? '')
    const target = { registry: 'docker', repository: 'deep/er/app', tag: 'one' }
    await copy(here, { source: fromUs, target })
    expect(await missingFrom(theirs, 'deep/er/app', 'one', image)).toEqual([])

    const source = { registry: 'docker', repository: 'deep/er/app', reference: 'one' }
    const back = await copy(here, { project: 'shop', source, target: { registry: 'branch' } })
    expect(back.bytes).toMatchObject({ sent: 0 })
    await copy(here, { source, target: { registry: 'self', repository: 'shop/back', tag: 'b' } })
    expect(await missingFrom(ours, 'shop/back', 'b', image)).toEqual([])
    const answer = await ours.request('GET', `/v2/shop/back/referrers/${image.index.digest}`)
    const { manifests } = (await answer.json()) as { manifests: unknown[] }
    expect(manifests.length).toBe(1)
  })

  test('gets the chosen platforms, in an index of their own or not at all', async () => {
    const target = { registry: 'docker', repository: 'chosen', tag: 'one' }
    const asked = { source: fromUs, target, platforms: ['linux/arm64'], index: 'rewrite' }
    const { digest } = await copy(here, asked)
    const theirs = createRawRegistry(docker?.url ?? '')
    const bytes = await theirs.readManifest('chosen', 'one')
    const index = JSON.parse(new TextDecoder().decode(bytes)) as { manifests: unknown[] }
    expect(digest).toBe(image.index.digest)
    expect(index.manifests).toEqual([
      expect.objectContaining({ digest: image.manifests[1]?.digest }),
    ])
    // Distribution takes no index whose children are missing, and its words reach the user.
    const { id } = await callApi<Transfer>(here, 'POST', '/transfers', {
      source: fromUs,
      target: { registry: 'docker', repository: 'sparse' },
      platforms: ['linux/arm64'],
    })
    const failed = await finished(here, id, 60_000)
    expect(failed.state).toBe('failed')
    expect(await theirs.headManifest('sparse', '1.0')).toBeUndefined()
  })
})

test('the command line copies, tells how far it is, and fails with a sentence', async () => {
  const entrepot = async (...args: string[]) => {
    const child = Bun.spawn([process.execPath, join(projectRoot, 'src/main.ts'), 'copy', ...args], {
      cwd: here.dataDir,
      env: {
        PATH: process.env.PATH ?? '',
        ENTREPOT_URL: here.url,
        ENTREPOT_TOKEN: `${here.admin.username}:${here.admin.password}`,
      },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ])
    return { exitCode: await child.exited, out, err }
  }
  const copied = await entrepot('shop/app:1.0', 'branch://mirror/cli:x', '--wait')
  expect(copied).toMatchObject({ exitCode: 0, out: `${image.index.digest}\n` })
  expect(copied.err).toContain(`done: ${image.blobs.length} of ${image.blobs.length} blobs`)
  const theirs = createRawRegistry(there.url, there.admin)
  expect(await theirs.headManifest('mirror/cli', 'x')).toBe(image.index.digest)
  const refused = await entrepot('shop/app:none', 'branch://', '--wait')
  expect(refused).toMatchObject({ exitCode: 1, out: '' })
  expect(refused.err).toContain('entrepot: self:shop/app has no tag "none"')
})

test('what cannot be says so, and is over', async () => {
  const create = (asked: object) => callApi<Transfer>(here, 'POST', '/transfers', asked)
  const missing = await create({
    source: { ...fromUs, reference: 'none' },
    target: { registry: 'branch' },
  })
  const failed = await finished(here, missing.id)
  expect(failed).toMatchObject({ state: 'failed', error: { code: 'manifest_unknown' } })
  expect(failed.error?.message).toBe('self:shop/app has no tag "none"')
  await expect(create({ source: fromUs, target: { registry: 'nowhere' } })).rejects.toThrow(
    'there is no registry',
  )
})
