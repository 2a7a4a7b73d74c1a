import type { Random } from '../acceptance/random.ts'
import {
  type Blob,
  createRawRegistry,
  type Image,
  imageOf,
  randomBytes,
  sha256,
} from '../acceptance/raw-registry.ts'
import type { Credentials } from '../acceptance/server.ts'
import type { Ledger, Pushed } from './ledger.ts'

/*
 * Clients that push, pull, move tags and delete, and try again as real ones do. What they are told
 * goes into the ledger; an answer that none may get whatever breaks is a violation.
 */

const KB = 1024
const MB = 1024 * KB
/** A request that takes longer has hung, whatever the reason. */
const PATIENCE_MS = 120_000

/** One request was not answered with what it needs; it may be tried again. */
class TryAgain extends Error {
  readonly status: number
  constructor(status: number, what: string) {
    super(`${what}: ${status}`)
    this.status = status
  }
}

/** The project has no room left, which is an answer. */
class Full extends Error {}

export type ClientOptions = {
  readonly url: string
  readonly user: Credentials
  readonly ledger: Ledger
  readonly random: Random
  readonly projects: readonly string[]
  /** One with a quota that is used up on the way. */
  readonly small: string
  readonly isOver: () => boolean
}

/** Contents that everybody pushes again and again, so that several commit the same at once. */
const shared = [300 * KB, 2 * MB, 9 * MB].map(randomBytes)

export const runClient = async (number: number, options: ClientOptions): Promise<void> => {
  const { url, user, ledger, random, projects, small, isOver } = options
  const registry = createRawRegistry(url, user)
  const own: Pushed[] = []

  const request = async (
    method: string,
    path: string,
    init: { headers?: Record<string, string>; body?: Uint8Array<ArrayBuffer> } = {},
  ): Promise<Response> => {
    const what = `${method} ${path.split('?')[0]}`
    const started = Date.now()
    let answer: Response
    try {
      answer = await Promise.race([
        registry.request(method, path, init),
        Bun.sleep(PATIENCE_MS).then(() => {
          throw new Error('no answer')
        }),
      ])
    } catch (error) {
      if (Date.now() - started >= PATIENCE_MS) ledger.violation(`${what}: no answer in time`)
      ledger.count('connections broken')
      throw new TryAgain(0, `${what}: ${error}`)
    }
    const { status } = answer
    if ([429, 502, 503].includes(status)) {
      await answer.arrayBuffer().catch(() => {})
      ledger.count(`answers ${status}`)
      throw new TryAgain(status, what)
    }
    return answer
  }

  /** What must not be answered, with what was said. */
  const refuse = async (answer: Response, what: string): Promise<never> => {
    const text = await answer.text().catch(() => '')
    if (answer.status === 403 && what.includes(small) && /quota|left/.test(text)) {
      ledger.count('refused by quota')
      throw new Full()
    }
    // A session whose row the crash of the database took with it, or that somebody took over, is
    // begun anew (an answer of our own to `opened uploads are not worth a wait for the disk`).
    const isSession = what.includes('/blobs/uploads/') && [400, 404, 416].includes(answer.status)
    if (isSession) ledger.count('sessions begun anew')
    else ledger.violation(`${what} answered ${answer.status}: ${text.slice(0, 300)}`)
    throw new TryAgain(answer.status, what)
  }

  const expectStatus = async (status: number, answer: Response, what: string) => {
    if (answer.status !== status) return refuse(answer, what)
    await answer.arrayBuffer().catch(() => {})
    return answer
  }

  const octets = { 'content-type': 'application/octet-stream' }
  const pathOf = (answer: Response) => answer.headers.get('location') ?? ''

  const openSession = async (repository: string) => {
    const path = `/v2/${repository}/blobs/uploads/`
    return pathOf(await expectStatus(202, await request('POST', path), `POST ${path}`))
  }

  const commit = async (location: string, blob: Blob, body?: Uint8Array<ArrayBuffer>) => {
    const target = `${location}?digest=${blob.digest}`
    const init = body ? { headers: octets, body } : {}
    await expectStatus(201, await request('PUT', target, init), `PUT ${location}`)
  }

  /** In chunks that say where they belong; after a failure it goes on where the session stands. */
  const pushChunks = async (repository: string, blob: Blob) => {
    const location = await openSession(repository)
    const size = Math.max(1, Math.ceil(blob.bytes.length / random.between(2, 6)))
    let at = 0
    for (let failures = 0; at < blob.bytes.length; ) {
      const chunk = blob.bytes.subarray(at, at + size)
      const range = `${at}-${at + chunk.length - 1}`
      const headers = { ...octets, 'content-range': range }
      try {
        const answer = await request('PATCH', location, { headers, body: chunk })
        await expectStatus(202, answer, `PATCH ${location}`)
        at += chunk.length
      } catch (error) {
        const lost = error instanceof TryAgain && [400, 404].includes(error.status)
        if (!(error instanceof TryAgain) || lost || ++failures > 20) throw error
        await Bun.sleep(random.between(100, 500))
        const answer = await request('GET', location)
        await expectStatus(204, answer, `GET ${location}`)
        const last = Number(/0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1] ?? 0)
        // `0-0` is said of nothing and of one byte alike.
        at = last === 0 ? 0 : last + 1
        ledger.count('chunked uploads resumed')
      }
    }
    await commit(location, blob)
  }

  const pushBlob = async (repository: string, blob: Blob) => {
    const way = random.pick(['put', 'patch', 'chunks', 'single'] as const)
    if (way === 'chunks') await pushChunks(repository, blob)
    else if (way === 'single') {
      const path = `/v2/${repository}/blobs/uploads/`
      const init = { headers: octets, body: blob.bytes }
      const answer = await request('POST', `${path}?digest=${blob.digest}`, init)
      await expectStatus(201, answer, `POST ${path}`)
    } else {
      const location = await openSession(repository)
      if (way === 'put') await commit(location, blob, blob.bytes)
      else {
        const init = { headers: octets, body: blob.bytes }
        const answer = await request('PATCH', location, init)
        await expectStatus(202, answer, `PATCH ${location}`)
        await commit(location, blob)
      }
    }
    ledger.blob(repository, blob.digest, blob.bytes.length)
    ledger.count('blobs pushed')
    ledger.count('bytes pushed', blob.bytes.length)
  }

  const putManifest = async (repository: string, tag: string, image: Image) => {
    const path = `/v2/${repository}/manifests/${tag}`
    const init = { headers: { 'content-type': image.mediaType }, body: image.manifest.bytes }
    await expectStatus(201, await request('PUT', path, init), `PUT ${path}`)
  }

  const nextImage = (index: number): Image => {
    const size = random.chance(0.85)
      ? random.between(1 * KB, 200 * KB)
      : random.chance(0.8)
        ? random.between(1 * MB, 6 * MB)
        : random.between(8 * MB, 20 * MB)
    const layers = [randomBytes(size)]
    if (random.chance(0.3)) layers.push(random.pick(shared))
    return imageOf(layers, `client ${number} image ${index}`)
  }

  /** Until it is done or there is no room; each step again, as clients do. */
  const insist = async (step: () => Promise<void>): Promise<void> => {
    for (;;) {
      try {
        return await step()
      } catch (error) {
        if (!(error instanceof TryAgain)) throw error
        await Bun.sleep(random.between(100, 1_000))
      }
    }
  }

  const push = async (index: number) => {
    const project = random.chance(0.1) ? small : random.pick(projects)
    const repository = `${project}/app-${random.between(0, 4)}`
    const tag = `c${number}-${index}`
    const image = nextImage(index)
    try {
      for (const blob of image.blobs) await insist(() => pushBlob(repository, blob))
      await insist(() => putManifest(repository, tag, image))
      own.push(ledger.image(repository, tag, image))
      ledger.count('images pushed')
      ledger.tried(`${repository}:latest`, image.manifest.digest)
      await insist(() => putManifest(repository, 'latest', image))
    } catch (error) {
      if (!(error instanceof Full)) throw error
    }
  }

  /** What was acknowledged is there, at any time, whoever is asked. */
  const pull = async () => {
    if (ledger.images.length === 0) return
    const image = random.pick(ledger.images)
    const { repository, tag, digest, blobs } = image
    const read = async (path: string, expected: string) => {
      const answer = await request('GET', path, { headers: { accept: '*/*' } })
      const { status } = answer
      const bytes = new Uint8Array(
        await answer.arrayBuffer().catch(() => {
          throw new TryAgain(0, `GET ${path} broke off`)
        }),
      )
      if (image.deleted !== 'no') return
      if (status === 200) {
        if (sha256(bytes) !== expected) ledger.violation(`GET ${path} gave other bytes`)
        return
      }
      // The bucket itself fails those whom it serves.
      if (status === 500 && answer.redirected) throw new TryAgain(status, path)
      ledger.violation(
        `GET ${path} answered ${status}: ${new TextDecoder().decode(bytes).slice(0, 300)}`,
      )
    }
    try {
      await read(`/v2/${repository}/manifests/${tag}`, digest)
      for (const blob of blobs) await read(`/v2/${repository}/blobs/${blob}`, blob)
      ledger.count('images pulled')
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error
      ledger.count('pulls broken off')
    }
  }

  const remove = async () => {
    const image = own.find(({ deleted }) => deleted === 'no')
    if (!image) return
    image.deleted = 'maybe'
    await insist(async () => {
      const path = `/v2/${image.repository}/manifests/${image.digest}`
      const answer = await request('DELETE', path)
      await answer.arrayBuffer().catch(() => {})
      // The one before may have succeeded without an answer.
      if (![202, 404].includes(answer.status)) await refuse(answer, `DELETE ${path}`)
    })
    image.deleted = 'yes'
    ledger.count('images deleted')
  }

  for (let index = 0; !isOver(); index++) {
    const chosen = random.next()
    if (chosen < 0.5) await push(index)
    else if (chosen < 0.96) await pull()
    else await remove()
    await Bun.sleep(random.between(0, 400))
  }
}
