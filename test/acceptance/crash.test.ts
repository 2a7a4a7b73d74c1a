import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createApiToken, createUser } from './admin-api.ts'
import { randomFrom } from './random.ts'
import {
  type Blob,
  createRawRegistry,
  type Image,
  imageOf,
  type RawRegistry,
  Refused,
  randomBytes,
  sha256,
} from './raw-registry.ts'
import { type Credentials, runVerb, type Server, startServer, waitFor } from './server.ts'

/**
 * What was acknowledged survives `kill -9`: of the supervisor, of one of its processes, of all at
 * once, at random moments while several clients push. ENTREPOT_CRASH_SEED replays a schedule as far
 * as the machine's timing allows, ENTREPOT_CRASH_PUSHES makes the run longer.
 */
const pushes = Number(process.env.ENTREPOT_CRASH_PUSHES ?? 200)
const seed = Number(process.env.ENTREPOT_CRASH_SEED ?? Date.now() % 1_000_000)
const pushers = 6
const killKinds = ['supervisor', 'child', 'all'] as const

const { next: random, between } = randomFrom(seed)

/** Pushed again into every repository, so that several pushers commit the same content at once. */
const sharedLayer = randomBytes(200_000)

const nextImage = (index: number): Image => {
  const large = random() < 1 / 6
  const layer = randomBytes(large ? between(1_000_000, 5_000_000) : between(1_000, 300_000))
  return imageOf(random() < 0.5 ? [layer, sharedLayer] : [layer], `crash ${seed} ${index}`)
}

type Acknowledged = { repository: string; tag: string; image: Image }

let server: Server
let user: Credentials
let registry: RawRegistry
const acknowledged: Acknowledged[] = []
/** Blobs whose PUT was answered 201, by repository, although their manifest may never have been. */
const acknowledgedBlobs: { repository: string; blob: Blob }[] = []
/** The last image acknowledged under `latest`, and all that were tried since, by repository. */
const latest = new Map<string, { known: string | undefined; tried: string[] }>()
const surprises: string[] = []
/** Pushes that a crash broke off, at whatever step they were. */
let interrupted = 0
const killed = { supervisor: 0, child: 0, all: 0 }

beforeAll(async () => {
  server = await startServer()
  const person = await createUser(server, 'crash-user')
  // A token: it costs one hash, where a password costs an argon2 in each new process.
  user = { ...person, password: await createApiToken(server, person, 'crash') }
  registry = createRawRegistry(server.url, user)
}, 240_000)

afterAll(async () => {
  await server?.dispose()
}, 60_000)

const pushImage = async (repository: string, tag: string, image: Image) => {
  for (const blob of image.blobs) {
    await registry.pushBlob(repository, blob, random() < 0.5 ? 'patch' : 'put')
    acknowledgedBlobs.push({ repository, blob })
  }
  await registry.pushManifest(repository, tag, image)
  acknowledged.push({ repository, tag, image })
  const moving = latest.get(repository) ?? { known: undefined, tried: [] }
  latest.set(repository, moving)
  moving.tried.push(image.manifest.digest)
  await registry.pushManifest(repository, 'latest', image)
  moving.known = image.manifest.digest
  moving.tried = []
}

/** Pushes until it is acknowledged. A broken connection is what a crash looks like; a refusal is not. */
const pushUntilDone = async (repository: string, tag: string, image: Image) => {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      await pushImage(repository, tag, image)
      return
    } catch (error) {
      // 502 is what the balancer makes of a broken connection.
      if (error instanceof Refused && ![429, 502, 503].includes(error.status)) {
        surprises.push(error.message)
      } else {
        interrupted++
      }
      await Bun.sleep(between(50, 250))
    }
  }
  throw new Error(`${repository}:${tag} was not pushed in 200 attempts`)
}

const readBack = async (read: Promise<Uint8Array>, digest: string, what: string) => {
  const found = await read.then(sha256, (error: unknown) => String(error))
  return found === digest ? [] : [`${what}: ${found}`]
}

/** Everything acknowledged up to now, read whole and hashed; resolves to what is wrong. */
const findLosses = async (): Promise<string[]> => {
  const losses: string[] = []
  const read = new Set<string>()
  for (const { repository, tag, image } of [...acknowledged]) {
    const { digest } = image.manifest
    const place = `${repository}:${tag}`
    losses.push(...(await readBack(registry.readManifest(repository, tag), digest, place)))
    losses.push(...(await readBack(registry.readManifest(repository, digest), digest, place)))
  }
  for (const { repository, blob } of [...acknowledgedBlobs]) {
    const place = `${repository}@${blob.digest}`
    if (read.has(place)) continue
    read.add(place)
    losses.push(...(await readBack(registry.readBlob(repository, blob.digest), blob.digest, place)))
  }
  return losses
}

/** What the program's own checker says of the data folder, on a live server too. */
const findBrokenPromises = async (): Promise<string[]> => {
  const { exitCode, output } = await runVerb(server, 'verify')
  return exitCode === 0 ? [] : [`verify ended with ${exitCode}: ${output}`]
}

const crashOnce = async (kind: (typeof killKinds)[number]) => {
  const children = await server.children()
  const before = children.length
  if (kind === 'child') {
    const victim = children[between(0, children.length)]
    if (victim === undefined) throw new Error('the supervisor has no children')
    server.killChild(victim)
    await waitFor('the killed process to be replaced', async () => {
      const now = await server.children()
      return now.length === before && !now.includes(victim)
    })
  } else {
    await (kind === 'all' ? server.killAll() : server.killSupervisor())
    server = await startServer({ after: server })
  }
  killed[kind]++
}

test(
  `nothing acknowledged is lost by kill -9 during ${pushes} pushes (seed ${seed})`,
  async () => {
    let next = 0
    // Pushes are let in round by round, so that the crashes spread over all of them.
    let admitted = 0
    const pusher = async (number: number) => {
      const repository = `crash/pusher-${number}`
      while (next < pushes) {
        if (next < admitted) {
          const index = next++
          await pushUntilDone(repository, `v${index}`, nextImage(index))
        } else {
          await Bun.sleep(5)
        }
      }
    }
    const allPushed = Promise.all(Array.from({ length: pushers }, (_, number) => pusher(number)))

    const losses: string[] = []
    for (let round = 0; admitted < pushes; round++) {
      const share = Math.max(between(7, 13), Math.ceil(pushes / 40))
      const due = Math.min(acknowledged.length + between(0, share), pushes)
      admitted += share
      await waitFor('the pushes of a round', () => acknowledged.length >= due, 120_000)
      await Bun.sleep(between(0, 60))
      await crashOnce(killKinds[round % killKinds.length] ?? 'all')
      losses.push(...(await findLosses()), ...(await findBrokenPromises()))
    }
    await allPushed
    losses.push(...(await findLosses()))
    for (const [repository, { known, tried }] of latest) {
      const found = (await registry.headManifest(repository, 'latest')) ?? 'nothing'
      const allowed = [known, ...tried]
      if (!allowed.includes(found)) losses.push(`${repository}:latest is ${found}`)
    }
    console.log(
      `crash test: ${acknowledged.length} pushes, ${acknowledgedBlobs.length} blobs, killed ` +
        `${killed.supervisor} supervisors, ${killed.child} children, ${killed.all} times all; ` +
        `${interrupted} pushes broken off`,
    )

    expect(losses).toEqual([])
    expect(surprises).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(pushes)
    for (const kind of killKinds) expect(killed[kind]).toBeGreaterThan(1)
    expect(interrupted).toBeGreaterThan(0)

    expect(await findBrokenPromises()).toEqual([])
    expect(await server.stop()).toBe(0)
    expect(await findBrokenPromises()).toEqual([])
  },
  30 * 60_000,
)
