import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { createProject } from './admin-api.ts'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { missingFrom, multiArchOf, pushMultiArch } from './multi-arch.ts'
import { createRawRegistry } from './raw-registry.ts'
import { type RunnerProcess, startRunner } from './runner-process.ts'
import { type Server, startProcess, waitFor } from './server.ts'
import { callApi, finished, getTransfer, type Transfer } from './transfers-api.ts'

/**
 * A copy through a runner survives `kill -9` of the runner and of the hub, and a cut wire between
 * them; it ends once, and goes on where it was. The bytes are counted on both
 * sides of the runner. ENTREPOT_TRANSFER_MB makes the image larger.
 */
const megabytes = Number(process.env.ENTREPOT_TRANSFER_MB ?? 24)
const MB = 1024 * 1024

setDefaultTimeout(10 * 60_000)

let hub: Server | undefined
let far: Server | undefined
let runner: RunnerProcess | undefined
let proxies: CountingProxy[] = []
/** All that the hub has printed, in all its lives. */
let hubLog = ''
afterEach(async () => {
  await runner?.dispose()
  for (const proxy of proxies) await proxy.stop()
  await hub?.dispose()
  await far?.dispose()
  proxies = []
  hubLog = ''
})

// So that a copy of a killed hub is soon gone on with. Without `hub.allowedNetworks`: to the hub
// itself loopback is forbidden.
const env = { ENTREPOT_TRANSFERS_LEASE: '2s' }

const part = (share: number) => Math.round(megabytes * MB * share)
const image = multiArchOf(['amd64', 'arm64'], [part(0.3), part(0.25), part(0.06), part(0.04)], {
  attached: false,
})
const size = image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)

/** A registry behind a proxy, a hub behind another, and a runner between the two. */
const build = async () => {
  far = await startProcess({ env })
  hub = await startProcess({
    env,
    onOutput: (text) => {
      hubLog += text
    },
  })
  const toFar = startCountingProxy(far.url)
  const toHub = startCountingProxy(hub.url)
  proxies = [toFar, toHub]
  await createProject(hub, 'shop')
  await createProject(far, 'team')
  const { token } = await callApi<{ token: string }>(hub, 'POST', '/runners', { id: 'edge-1' })
  runner = await startRunner({
    hub: toHub.url,
    token,
    args: ['--allow-network', '127.0.0.0/8', '--log-format', 'json'],
  })
  await waitFor('the runner to enrol', async () => {
    const { state } = await callApi<{ state: string }>(living(), 'GET', '/runners/edge-1')
    return state === 'online'
  })
  await callApi(hub, 'POST', '/registries', {
    name: 'docks',
    provider: 'native',
    address: toFar.url,
    accessKey: far.admin.username,
    secretKey: far.admin.password,
    projects: ['shop'],
    runner: 'edge-1',
  })
  return { toFar, toHub, far, runner }
}

const living = (): Server => {
  if (!hub) throw new Error('no hub')
  return hub
}

const timesIn = (log: string, ...words: string[]) =>
  log.split('\n').filter((line) => words.every((word) => line.includes(word))).length

/**
 * Breaks what is next whenever another part has passed, and waits for the end. Nothing passes beyond
 * that part before, so a slow machine meets the copy in the middle too.
 */
const breakWhileCopying = async (
  id: number,
  { toFar, toHub, runner: program }: Awaited<ReturnType<typeof build>>,
  breaks: readonly ('runner' | 'wire' | 'hub')[],
): Promise<Transfer> => {
  const before = toFar.total()
  for (const [index, what] of breaks.entries()) {
    const part = before + (size * (index + 1)) / (breaks.length + 1)
    const at = { far: toFar.total(), hub: toHub.total() }
    toFar.allow(part)
    await waitFor(
      `part ${index + 1} of ${breaks.length + 1} to pass`,
      () => toFar.total() > part,
      120_000,
    )
    // The rest may be held back before the registry, or be in the memory of the runner.
    await waitFor(
      'a third of it to arrive',
      () => toHub.total() - at.hub >= (toFar.total() - at.far) / 3,
      120_000,
    )
    expect((await getTransfer(living(), id)).finishedAt).toBeNull()
    if (what === 'runner') {
      await program.kill()
      program.start()
    } else if (what === 'wire') {
      const before = timesIn(program.log(), 'hub not reached')
      await toHub.cut()
      await waitFor(
        'the runner to notice',
        () => timesIn(program.log(), 'hub not reached') > before,
        120_000,
      )
      toHub.mend()
    } else {
      await living().killAll()
      hub = await startProcess({ after: living(), env })
    }
  }
  toFar.allow(Number.POSITIVE_INFINITY)
  return finished(living(), id, 240_000)
}

/**
 * Of the blobs that are large enough to be gone on with. Begun anew after each of three breaks, they
 * would pass two and a half times; what was on its way when something broke passes again.
 */
const expectResumed = (counted: ReadonlyMap<string, number>, title: string) => {
  const rows = image.blobs
    .map(({ digest, bytes }) => ({ size: bytes.length, passed: counted.get(digest) ?? 0 }))
    .filter((row) => row.size > MB)
  const passed = rows.reduce((sum, row) => sum + row.passed, 0)
  const once = rows.reduce((sum, row) => sum + row.size, 0)
  console.log(`${title}: ${(passed / once).toFixed(3)} times`)
  for (const row of rows) expect([title, row.passed >= row.size]).toEqual([title, true])
  expect(passed).toBeLessThan(once * 2.2)
}

test('copies by a runner go on where they were, into Entrepot and out of it', async () => {
  const built = await build()
  const theirs = createRawRegistry(built.far.url, built.far.admin)
  await pushMultiArch(theirs, 'team/app', '1.0', image)

  built.toFar.allow(0)
  const inwards = await callApi<Transfer>(living(), 'POST', '/transfers', {
    project: 'shop',
    source: { registry: 'docks', repository: 'team/app', reference: '1.0' },
    target: { registry: 'self', repository: 'shop/app' },
  })
  const pulled = await breakWhileCopying(inwards.id, built, ['runner', 'wire', 'hub'])
  expect(pulled).toMatchObject({ state: 'done', error: null, digest: image.index.digest })
  const ours = createRawRegistry(living().url, living().admin)
  expect(await missingFrom(ours, 'shop/app', '1.0', image)).toEqual([])
  expectResumed(built.toFar.read, 'read from the registry')
  expectResumed(built.toHub.written(), 'written to the hub')
  expect(timesIn(hubLog, 'runner task done', '"copy"', '"ok":true')).toBe(1)

  built.toFar.allow(built.toFar.total())
  const outwards = await callApi<Transfer>(living(), 'POST', '/transfers', {
    project: 'shop',
    source: { registry: 'self', repository: 'shop/app', reference: '1.0' },
    target: { registry: 'docks', repository: 'team/back', tag: '2.0' },
  })
  const pushed = await breakWhileCopying(outwards.id, built, ['runner'])
  expect(pushed).toMatchObject({ state: 'done', error: null, digest: image.index.digest })
  expect(await missingFrom(theirs, 'team/back', '2.0', image)).toEqual([])
  expectResumed(built.toFar.written(), 'written to the registry')
  expect(timesIn(hubLog, 'runner task done', '"copy"', '"ok":true')).toBe(2)
})
