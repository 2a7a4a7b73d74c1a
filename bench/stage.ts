import { authorizationLines, basicLine, type Challenge, discoverChallenge } from './auth.ts'
import { connect, type Endpoint, requestHead } from './http.ts'
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
import {
  fillInventoryFile,
  type InventoryAsk,
  inventoryImages,
  inventoryPaths,
} from './inventory-rows.ts'
import { fillList, type ListedThing, listPath } from './list-rows.ts'
import { MiB, type PayloadSource } from './payloads.ts'

/**
 * One operation; `index` counts over all clients of a run. Gives the MiB of layers moved, and the
 * milliseconds where not all of the operation is what is measured.
 */
export type Step = (index: number) => Promise<number | { mebibytes: number; milliseconds: number }>

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
  /** The head of a request for a page of the CCR OpenAPI; null where that list cannot be filled. */
  ccrPage(of: ListedThing, rows: number): Promise<Buffer | null>
  /** Heads of requests for images of other registries; null where there can be none. */
  inventoryPages(ask: InventoryAsk): Promise<Buffer[] | null>
}

const imagesPerSize = 4
const seedingClients = 8

type StageOptions = {
  endpoint: Endpoint
  payloads: PayloadSource
  /** Put before all repository names. */
  prefix: string
  /** Looks once at what was seeded; false for a server that keeps nothing. */
  verify: boolean
  /** Of `Server`. */
  database: string | null
}

export async function createStage(options: StageOptions): Promise<Stage> {
  const { endpoint, payloads, prefix, verify, database } = options
  const challenge = await discoverChallenge(endpoint)
  const seededImages = new Map<number, Image[]>()
  const pools = new Map<number, TagPool>()
  const filledLists = new Map<string, Buffer>()
  let apiToken: string | null = null
  let seededRepositories = 0
  let inventory: Promise<void> | null = null

  return {
    endpoint,
    challenge,
    payloads,
    repository,
    open,
    images,
    tags,
    repositories,
    ccrPage,
    inventoryPages,
  }

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

  async function ccrPage(of: ListedThing, rows: number): Promise<Buffer | null> {
    const path = listPath(of, rows)
    if (!verify) return requestHead(endpoint, 'GET', path, [])
    if (database === null) return null
    const known = filledLists.get(path)
    if (known !== undefined) return known
    apiToken ??= await createApiToken(endpoint)
    await fillList(database, of, rows)
    const ask = requestHead(endpoint, 'GET', path, [`Authorization: Bearer ${apiToken}`])
    await verifyPage(endpoint, ask, rows)
    filledLists.set(path, ask)
    return ask
  }

  async function inventoryPages(ask: InventoryAsk): Promise<Buffer[] | null> {
    const paths = inventoryPaths(ask)
    if (!verify) return paths.map((path) => requestHead(endpoint, 'GET', path, []))
    if (database === null) return null
    apiToken ??= await createApiToken(endpoint)
    inventory ??= fillInventoryFile(database)
    await inventory
    const lines = [`Authorization: Bearer ${apiToken}`]
    const all = requestHead(endpoint, 'GET', '/api/v1/images?limit=10&search=service', lines)
    await verifyPage(endpoint, all, inventoryImages)
    return paths.map((path) => requestHead(endpoint, 'GET', path, lines))
  }
}

/** A password is proven anew every few seconds, at the cost of many requests; a token is not. */
async function createApiToken(endpoint: Endpoint): Promise<string> {
  const connection = await connect(endpoint)
  const body = Buffer.from(JSON.stringify({ name: 'bench' }))
  const lines = [
    basicLine(endpoint),
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ]
  const pieces = [requestHead(endpoint, 'POST', '/api/v1/tokens', lines), body]
  const reply = await connection.exchange({ pieces, status: 201, keep: true })
  connection.close()
  return (JSON.parse(reply.body.toString()) as { token: string }).token
}

/** One page must show ten entries and the total, or the line would measure something else. */
async function verifyPage(endpoint: Endpoint, ask: Buffer, rows: number): Promise<void> {
  const connection = await connect(endpoint)
  const reply = await connection.exchange({ pieces: [ask], status: 200, keep: true })
  connection.close()
  const page = JSON.parse(reply.body.toString()) as {
    data?: unknown[]
    artifacts?: unknown[]
    items?: unknown[]
    totalCount?: number
    total?: number
  }
  const entries = (page.data ?? page.artifacts ?? page.items)?.length
  const total = page.totalCount ?? page.total
  if (entries !== 10 || total !== rows) {
    throw new Error(`a page of ${entries} entries of ${total} instead of 10 of ${rows}`)
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
  let ownMs = 0
  let next = 0
  let failed = false
  const begin = performance.now()
  await Promise.all(
    steps.map(async (step) => {
      while (next < count && !failed) {
        const index = next++
        const before = performance.now()
        try {
          const done = await step(index)
          if (typeof done === 'number') {
            mebibytes += done
            milliseconds.push(performance.now() - before)
          } else {
            mebibytes += done.mebibytes
            milliseconds.push(done.milliseconds)
            ownMs += done.milliseconds
          }
        } catch (error) {
          failed = true
          throw error
        }
      }
    }),
  )
  const wholeMs = ownMs > 0 ? ownMs / steps.length : performance.now() - begin
  return { seconds: wholeMs / 1000, mebibytes, milliseconds }
}
