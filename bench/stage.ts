import { authorizationLines, type Challenge, discoverChallenge } from './auth.ts'
import { connect, type Endpoint } from './http.ts'
import {
  type Blob,
  blobOf,
  bodiesOf,
  type Image,
  manifestOf,
  pushBlob,
  pushImage,
  pushManifest,
  type RepositoryClient,
  verifyImage,
} from './images.ts'
import { MiB, type PayloadSource } from './payloads.ts'

/** One operation; `index` counts over all clients of a run. Gives the MiB of layers moved. */
export type Step = (index: number) => Promise<number>

type TagPool = { repository: string; live: { tag: string; digest: string }[] }

/**
 * A server under test as the generator sees it, and what was put there for it to serve.
 *
 * Everything seeded is kept for the life of the server process, so that only the first round of a
 * group pays for it, and never while the clock runs.
 */
export type Stage = {
  endpoint: Endpoint
  challenge: Challenge
  payloads: PayloadSource
  repository(name: string): string
  open(repository: string, actions: string): Promise<RepositoryClient>
  images(sizeMiB: number): Promise<Image[]>
  tags(count: number): Promise<TagPool>
  repositories(count: number): Promise<void>
}

const imagesPerSize = 4
const seedingClients = 8

/** `prefix` is put before all repository names; `verify` pulls one image back and hashes it. */
export async function createStage(
  endpoint: Endpoint,
  payloads: PayloadSource,
  prefix: string,
  verify: boolean,
): Promise<Stage> {
  const challenge = await discoverChallenge(endpoint)
  const seededImages = new Map<number, Image[]>()
  const pools = new Map<number, TagPool>()
  let seededRepositories = 0

  return { endpoint, challenge, payloads, repository, open, images, tags, repositories }

  function repository(name: string): string {
    return `${prefix}/${name}`
  }

  async function open(name: string, actions: string): Promise<RepositoryClient> {
    const scope = `repository:${name}:${actions}`
    const authorization = await authorizationLines(endpoint, challenge, scope)
    return { connection: await connect(endpoint), endpoint, repository: name, authorization }
  }

  async function images(sizeMiB: number): Promise<Image[]> {
    const known = seededImages.get(sizeMiB)
    if (known !== undefined) return known
    const client = await open(repository('pull'), 'pull,push')
    const made: Image[] = []
    for (let i = 0; i < imagesPerSize; i++) {
      made.push(await pushImage(client, `s${sizeMiB}-${i}`, payloads.next(sizeMiB * MiB), false))
    }
    if (verify && made[0] !== undefined) await verifyImage(client, made[0])
    client.connection.close()
    seededImages.set(sizeMiB, made)
    return made
  }

  /** A repository with exactly `count` tags, each on a manifest of its own. */
  async function tags(count: number): Promise<TagPool> {
    let pool = pools.get(count)
    if (pool === undefined) {
      pool = { repository: repository(`tags-${count}`), live: [] }
      pools.set(count, pool)
    }
    const { live, repository: name } = pool
    const missing = count - live.length
    if (missing === 0) return pool
    const clients = await openMany(Math.min(seedingClients, missing), name, 'pull,push')
    const put = await preparePuts(clients)
    await runSteps(
      clients.map((client) => async () => {
        const { tag, manifest } = await put(client)
        live.push({ tag, digest: manifest.digest })
        return 0
      }),
      missing,
    )
    for (const client of clients) client.connection.close()
    return pool
  }

  async function openMany(
    count: number,
    name: string,
    actions: string,
  ): Promise<RepositoryClient[]> {
    return Promise.all(Array.from({ length: count }, () => open(name, actions)))
  }

  async function repositories(count: number): Promise<void> {
    const missing = count - seededRepositories
    if (missing <= 0) return
    const first = seededRepositories
    const seed: Step = async (index) => {
      const client = await open(repository(`catalog/r${first + index}`), 'pull,push')
      const put = await preparePuts([client])
      await put(client)
      client.connection.close()
      return 0
    }
    await runSteps(
      Array.from({ length: seedingClients }, () => seed),
      missing,
    )
    seededRepositories = count
  }
}

let tagNumber = 0

/** Pushes the blobs that all manifests of a repository share; then one call makes one tag. */
export async function preparePuts(
  clients: readonly RepositoryClient[],
): Promise<(client: RepositoryClient) => Promise<{ tag: string; manifest: Blob }>> {
  const config = blobOf('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}')
  const layer = bodiesOf(blobOf('a layer that many manifests share'))
  const first = clients[0]
  if (first !== undefined) {
    await pushBlob(first, bodiesOf(config), false)
    await pushBlob(first, layer, false)
  }
  return async (client) => {
    tagNumber += 1
    const tag = `v${String(tagNumber).padStart(8, '0')}`
    const manifest = manifestOf(config, layer, tag)
    await pushManifest(client, tag, manifest)
    return { tag, manifest }
  }
}

export type RunTimes = { seconds: number; mebibytes: number; milliseconds: number[] }

/** Runs `count` operations, each by the first client that is free. The first failure ends it. */
export async function runSteps(steps: readonly Step[], count: number): Promise<RunTimes> {
  const milliseconds: number[] = []
  let mebibytes = 0
  let next = 0
  let failed = false
  const begin = performance.now()
  await Promise.all(
    steps.map(async (step) => {
      while (next < count && !failed) {
        const index = next++
        const before = performance.now()
        try {
          const moved = await step(index)
          mebibytes += moved
        } catch (error) {
          failed = true
          throw error
        }
        milliseconds.push(performance.now() - before)
      }
    }),
  )
  return { seconds: (performance.now() - begin) / 1000, mebibytes, milliseconds }
}
