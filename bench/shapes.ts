import { authorizationLines, basicLine, tokenPath } from './auth.ts'
import { connect, requestHead } from './http.ts'
import {
  acceptLines,
  commitTime,
  head,
  preparePull,
  pushImage,
  type RepositoryClient,
} from './images.ts'
import { MiB } from './payloads.ts'
import { preparePuts, type Stage, type Step } from './stage.ts'
import type { Shape, Workload } from './workloads.ts'

/** Ready to run: connections open, tokens fetched, content in place, request bytes made. */
export type Prepared = { steps: Step[]; close(): void }

/** Null where the line has no meaning for the server (tokens of one that issues none). */
export async function prepare(
  stage: Stage,
  workload: Workload,
  run: string,
): Promise<Prepared | null> {
  const opened: { close(): void }[] = []
  const track = (client: RepositoryClient): RepositoryClient => {
    opened.push(client.connection)
    return client
  }
  const steps: Step[] = []
  for (let i = 0; i < workload.clients; i++) {
    const { shape } = workload
    const shared = shape.kind === 'images' && shape.oneRepository === true
    const step = await prepareClient(stage, shape, shared ? run : `${run}-c${i}`, track)
    if (step === null) return null
    steps.push(step)
  }
  return {
    steps,
    close() {
      for (const connection of opened) connection.close()
    },
  }
}

type Track = (client: RepositoryClient) => RepositoryClient

function prepareClient(
  stage: Stage,
  shape: Shape,
  name: string,
  track: Track,
): Promise<Step | null> {
  switch (shape.kind) {
    case 'images':
      return imagesStep(stage, shape, name, track)
    case 'commit':
      return commitStep(stage, shape.size, name, track)
    case 'pull':
      return pullStep(stage, shape.sizes, track)
    case 'manifest':
      return manifestStep(stage, shape.method, track)
    case 'manifest-put':
      return putStep(stage, track)
    case 'token':
      return tokenStep(stage, track)
    case 'catalog':
      return catalogStep(stage, track)
    case 'tags-page':
      return tagsStep(stage, shape.tags, track)
    case 'delete':
      return deleteStep(stage, shape.tags, track)
    case 'ccr-page':
      return ccrStep(stage, shape, track)
    case 'inventory':
      return inventoryStep(stage, shape, name, track)
  }
}

/** Every client pushes into a repository of its own, new in each run, as zb does. */
async function imagesStep(
  stage: Stage,
  shape: Shape & { kind: 'images' },
  name: string,
  track: Track,
): Promise<Step> {
  const { sizes, pullsPerPush, streamed } = shape
  const client = track(await stage.open(stage.repository(name), 'pull,push'))
  const pull = pullsPerPush > 0 ? await pullStep(stage, sizes, track) : null
  return async (index) => {
    if (pull !== null && index % (pullsPerPush + 1) < pullsPerPush) return pull(index)
    const size = at(sizes, index)
    await pushImage(client, `t${index}`, stage.payloads.next(size * MiB), streamed)
    return size
  }
}

async function commitStep(stage: Stage, size: number, name: string, track: Track): Promise<Step> {
  const client = track(await stage.open(stage.repository(name), 'pull,push'))
  return async () => {
    const milliseconds = await commitTime(client, stage.payloads.next(size * MiB))
    return { mebibytes: size, milliseconds }
  }
}

async function pullStep(stage: Stage, sizes: readonly number[], track: Track): Promise<Step> {
  const client = track(await stage.open(stage.repository('pull'), 'pull'))
  const pulls = new Map<number, (() => Promise<void>)[]>()
  for (const size of new Set(sizes)) {
    const images = await stage.images(size)
    pulls.set(
      size,
      images.map((image) => preparePull(client, image)),
    )
  }
  return async (index) => {
    const size = at(sizes, index)
    await at(pulls.get(size) ?? [], index)()
    return size
  }
}

async function manifestStep(stage: Stage, method: 'HEAD' | 'GET', track: Track): Promise<Step> {
  const { repository, live } = await stage.tags(100)
  const client = track(await stage.open(repository, 'pull'))
  const bodyless = method === 'HEAD'
  const heads = live.map(({ tag }) =>
    head(client, method, `/v2/${repository}/manifests/${tag}`, acceptLines),
  )
  return asking(client, heads, { status: 200, bodyless })
}

async function putStep(stage: Stage, track: Track): Promise<Step> {
  const client = track(await stage.open(stage.repository('put'), 'pull,push'))
  const put = await preparePuts([client])
  return async () => {
    await put(client)
    return 0
  }
}

async function tokenStep(stage: Stage, track: Track): Promise<Step | null> {
  const { endpoint, challenge } = stage
  if (challenge.scheme !== 'bearer') return null
  const repository = stage.repository('pull')
  const path = tokenPath(challenge, `repository:${repository}:pull`)
  const client = track({
    connection: await connect(endpoint),
    endpoint,
    repository,
    authorization: [],
  })
  const ask = requestHead(endpoint, 'GET', path, [basicLine(endpoint)])
  return asking(client, [ask], { status: 200, bodyless: false })
}

async function catalogStep(stage: Stage, track: Track): Promise<Step> {
  const { endpoint, challenge } = stage
  await stage.repositories(200)
  const client = track({
    connection: await connect(endpoint),
    endpoint,
    repository: '',
    authorization: await authorizationLines(endpoint, challenge, 'registry:catalog:*'),
  })
  return asking(client, [head(client, 'GET', '/v2/_catalog?n=100', [])], {
    status: 200,
    bodyless: false,
  })
}

/** Pages from all over the list, not only the first: `last` walks through it. */
async function tagsStep(stage: Stage, tags: number, track: Track): Promise<Step> {
  const { repository, live } = await stage.tags(tags)
  const client = track(await stage.open(repository, 'pull'))
  const names = live.map(({ tag }) => tag).sort()
  const stride = Math.floor(names.length / 50)
  const heads = names
    .filter((_, i) => i % stride === 0)
    .map((last) => head(client, 'GET', `/v2/${repository}/tags/list?n=100&last=${last}`, []))
  return asking(client, heads, { status: 200, bodyless: false })
}

/** Deletes by digest, which takes the tag along; `stage.tags` fills up again before each run. */
async function deleteStep(stage: Stage, tags: number, track: Track): Promise<Step> {
  const { repository, live } = await stage.tags(tags)
  const client = track(await stage.open(repository, 'pull,push,delete'))
  return async () => {
    const [victim] = live.splice(live.length >> 1, 1)
    if (victim === undefined) throw new Error('nothing left to delete')
    const path = `/v2/${repository}/manifests/${victim.digest}`
    await client.connection.exchange({ pieces: [head(client, 'DELETE', path, [])], status: 202 })
    return 0
  }
}

async function ccrStep(
  stage: Stage,
  { of, rows }: Shape & { kind: 'ccr-page' },
  track: Track,
): Promise<Step | null> {
  const { endpoint } = stage
  const ask = await stage.ccrPage(of, rows)
  if (ask === null) return null
  const connection = await connect(endpoint)
  const client = track({ connection, endpoint, repository: '', authorization: [] })
  return asking(client, [ask], { status: 200, bodyless: false })
}

async function inventoryStep(
  stage: Stage,
  { ask, pushesPerSearch }: Shape & { kind: 'inventory' },
  name: string,
  track: Track,
): Promise<Step | null> {
  const { endpoint } = stage
  const heads = await stage.inventoryPages(ask)
  if (heads === null) return null
  const connection = await connect(endpoint)
  const client = track({ connection, endpoint, repository: '', authorization: [] })
  const search = asking(client, heads, { status: 200, bodyless: false })
  if (pushesPerSearch === 0) return search
  const pushing = track(await stage.open(stage.repository(name), 'pull,push'))
  return async (index) => {
    // Another search each time.
    if (index % (pushesPerSearch + 1) === 0) return search(index / (pushesPerSearch + 1))
    await pushImage(pushing, `t${index}`, stage.payloads.next(MiB), false)
    return 0
  }
}

function asking(
  client: RepositoryClient,
  heads: readonly Buffer[],
  expected: { status: number; bodyless: boolean },
): Step {
  const requests = heads.map((bytes) => ({ pieces: [bytes], ...expected }))
  return async (index) => {
    await client.connection.exchange(at(requests, index))
    return 0
  }
}

/** The element at `index` of the endlessly repeated list. */
function at<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length]
  if (item === undefined) throw new Error('an empty list repeats nothing')
  return item
}
