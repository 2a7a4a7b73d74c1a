import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { createProject } from './admin-api.ts'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { type DockerRegistry, dockerRegistry, startDockerRegistry } from './docker-registry.ts'
import { type MultiArch, missingFrom, multiArchOf, pushMultiArch } from './multi-arch.ts'
import { createRawRegistry } from './raw-registry.ts'
import { type Server, startServer, waitFor } from './server.ts'
import { addRegistry, callApi, finished, getTransfer, type Transfer } from './transfers-api.ts'

/**
 * A copy survives `kill -9` of the server that does it, and no blob is sent more than once more than
 * needed. The bytes are counted by a proxy before the other registry. ENTREPOT_TRANSFER_MB makes the
 * image larger (2048 is what it has to bear), ENTREPOT_TRANSFER_KILLS the kills more,
 * ENTREPOT_TRANSFER_MB_S the network faster.
 */
const megabytes = Number(process.env.ENTREPOT_TRANSFER_MB ?? 96)
const rate = Number(process.env.ENTREPOT_TRANSFER_MB_S ?? 12)
const killsOf = (usual: number) => Number(process.env.ENTREPOT_TRANSFER_KILLS ?? usual)
const MB = 1024 * 1024

setDefaultTimeout(30 * 60_000)

const env = {
  ENTREPOT_HUB_ALLOWED_NETWORKS: '127.0.0.0/8',
  // So that a killed copy is soon gone on with.
  ENTREPOT_TRANSFERS_LEASE: '2s',
}

let proxy: CountingProxy | undefined
let docker: DockerRegistry | undefined
let server: Server | undefined
let other: Server | undefined
afterEach(async () => {
  await proxy?.stop()
  await docker?.stop()
  await server?.dispose()
  await other?.dispose()
})

/** Two platforms: a common layer, and for each one large and two middling ones of its own. */
const largeImage = (size = megabytes): MultiArch => {
  const part = (share: number) => Math.round(size * MB * share)
  return multiArchOf(['amd64', 'arm64'], [part(0.1), part(0.25), part(0.1), part(0.1)], {
    attached: false,
  })
}

const living = (): Server => {
  if (!server) throw new Error('no server')
  return server
}

/** Kills the server `kills` times, at equal distances of the bytes to be sent, and waits for the end. */
const killWhileCopying = async (id: number, size: number, kills: number) => {
  for (let i = 1; i <= kills; i++) {
    await waitFor(
      `${i} of ${kills + 1} parts to be sent`,
      async () => {
        const transfer = await getTransfer(living(), id)
        if (transfer.finishedAt !== null)
          throw new Error(`it ended: ${JSON.stringify(transfer.error)}`)
        return (proxy?.total() ?? 0) >= (size * i) / (kills + 1)
      },
      600_000,
    )
    await living().killAll()
    server = await startServer({ after: living(), env })
  }
  return finished(living(), id, 600_000)
}

/** Tells what was sent of each blob beside what it has, and what was sent too much of any. */
const judge = (image: MultiArch, counted: ReadonlyMap<string, number>, title: string): number => {
  const rows = image.blobs
    .map(({ digest, bytes }) => ({ size: bytes.length, sent: counted.get(digest) ?? 0 }))
    .filter(({ size }) => size > MB)
    .map(({ size, sent }) => ({ size, sent, times: sent / size }))
  const all = rows.reduce((sum, { size }) => sum + size, 0)
  const sent = rows.reduce((sum, row) => sum + row.sent, 0)
  console.log(`${title}: ${(sent / all).toFixed(3)} times the image`)
  for (const row of rows) {
    console.log(`  ${row.size} bytes, sent ${row.sent}: ${row.times.toFixed(3)} times`)
  }
  return Math.max(...rows.map(({ times }) => times))
}

const sizeOf = ({ blobs }: MultiArch) => blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)

test('sending to another Entrepot', async () => {
  const image = largeImage()
  other = await startServer({ env })
  proxy = startCountingProxy(other.url, { bytesPerSecond: rate * MB })
  server = await startServer({ env })
  await createProject(server, 'shop')
  await createProject(other, 'mirror')
  await addRegistry(server, 'branch', proxy.url, {
    namespace: 'mirror',
    accessKey: other.admin.username,
    secretKey: other.admin.password,
  })
  await pushMultiArch(createRawRegistry(server.url, server.admin), 'shop/app', '1.0', image)
  const { id } = await callApi<Transfer>(server, 'POST', '/transfers', {
    source: { registry: 'self', repository: 'shop/app', reference: '1.0' },
    target: { registry: 'branch' },
  })
  const kills = killsOf(10)
  const done = await killWhileCopying(id, sizeOf(image), kills)
  expect(done).toMatchObject({ state: 'done', digest: image.index.digest })
  const times = judge(image, proxy.written(), `sent to Entrepot, killed ${kills} times`)
  const theirs = createRawRegistry(other.url, other.admin)
  expect(await missingFrom(theirs, 'mirror/app', '1.0', image)).toEqual([])
  expect(times).toBeLessThanOrEqual(2)
})

test.skipIf(!dockerRegistry)('sending to docker-registry', async () => {
  const image = largeImage(megabytes / 3)
  docker = await startDockerRegistry()
  proxy = startCountingProxy(docker.url, { bytesPerSecond: rate * MB })
  server = await startServer({ env })
  await createProject(server, 'shop')
  await addRegistry(server, 'docker', proxy.url, { namespace: 'mirror' })
  await pushMultiArch(createRawRegistry(server.url, server.admin), 'shop/app', '1.0', image)
  const { id } = await callApi<Transfer>(server, 'POST', '/transfers', {
    source: { registry: 'self', repository: 'shop/app', reference: '1.0' },
    target: { registry: 'docker' },
  })
  const kills = killsOf(1)
  const done = await killWhileCopying(id, sizeOf(image), kills)
  expect(done).toMatchObject({ state: 'done', digest: image.index.digest })
  // It throws away what arrived of an upload whose sender died, so what is counted is all of them:
  // of those that were given up nobody knows the digest.
  const sent = proxy.total()
  const times = sent / sizeOf(image)
  console.log(`sent to docker-registry, killed ${kills} times: ${times.toFixed(3)} times the image`)
  judge(image, proxy.written(), 'of it in uploads that were completed')
  expect(await missingFrom(createRawRegistry(docker.url), 'mirror/app', '1.0', image)).toEqual([])
  expect(times).toBeLessThanOrEqual(1 + kills)
})

test.skipIf(!dockerRegistry)('fetching from docker-registry', async () => {
  const image = largeImage()
  docker = await startDockerRegistry()
  await pushMultiArch(createRawRegistry(docker.url), 'vendor/app', '1.0', image)
  proxy = startCountingProxy(docker.url, { bytesPerSecond: rate * MB })
  server = await startServer({ env })
  await createProject(server, 'shop')
  await addRegistry(server, 'docker', proxy.url)
  const { id } = await callApi<Transfer>(server, 'POST', '/transfers', {
    source: { registry: 'docker', repository: 'vendor/app', reference: '1.0' },
    target: { registry: 'self', repository: 'shop/app' },
  })
  const kills = killsOf(3)
  const done = await killWhileCopying(id, sizeOf(image), kills)
  expect(done).toMatchObject({ state: 'done', digest: image.index.digest })
  const times = judge(image, proxy.read, `fetched from docker-registry, killed ${kills} times`)
  const ours = createRawRegistry(server.url, server.admin)
  expect(await missingFrom(ours, 'shop/app', '1.0', image)).toEqual([])
  // A bucket has nothing that it could go on with of an upload below a GiB: a blob that each kill
  // meets on its way is read once more each time.
  expect(times).toBeLessThanOrEqual(process.env.ENTREPOT_TEST_REPLICAS ? 1 + kills : 2)
})
