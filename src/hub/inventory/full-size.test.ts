import { describe, expect, test } from 'bun:test'
import type { ProviderName } from '../../client/provider.ts'
import { ARTIFACTORY_LOGIN } from './test-artifactory-server.ts'
import { expectEqualToSource } from './test-equality.ts'
import { FULL_SIZE_SERVER, fullSize } from './test-full-size.ts'
import { HARBOR_LOGIN } from './test-harbor-server.ts'
import { createTestSyncOf } from './test-inventory.ts'
import { createTestSource } from './test-source.ts'

/*
 * 2,000 repositories with 100,000 tags. It takes minutes, so it runs only when it is asked for:
 *
 *   ENTREPOT_TEST_FULL_INVENTORY=1 bun test src/hub/inventory/full-size.test.ts
 */

const isWanted = process.env.ENTREPOT_TEST_FULL_INVENTORY === '1'
const LONGEST = 30 * 60_000
/** Bytes. 100,000 images as objects would be several times that. */
const MOST_LIVE = 32 * 2 ** 20

interface Told {
  counts: Record<string, number>
  requests: number
}

describe.skipIf(!isWanted)('100,000 tags', () => {
  test.each([
    ['harbor', HARBOR_LOGIN],
    ['jfrog', ARTIFACTORY_LOGIN],
  ] as const)(
    'of %s are all there, in flat memory, and a second run fetches under 1 %% of it',
    async (provider, login) => {
      const server = await startServer(provider)
      const inv = await createTestSyncOf(provider, { url: server.url }, login)
      try {
        Bun.gc(true)
        const before = process.memoryUsage().heapUsed
        let [peak, live] = [0, 0]
        const watch = setInterval(() => {
          peak = Math.max(peak, process.memoryUsage().rss)
          // What is there for a reason, and not because nobody has looked at it yet.
          Bun.gc(true)
          live = Math.max(live, process.memoryUsage().heapUsed - before)
        }, 1_000)
        const [first, firstSeconds] = await timed(() => inv.sync())
        clearInterval(watch)
        const asked = await server.tell('reset')
        const [second, secondSeconds] = await timed(() => inv.sync())
        const askedAgain = await server.tell('tell')
        console.log(
          `${provider}: first run ${asked.requests} requests in ${firstSeconds} s ` +
            `${JSON.stringify(asked.counts)}, ${megabytes(live)} MiB more in use, resident ` +
            `${megabytes(peak)} MiB; second ${askedAgain.requests} in ${secondSeconds} s ` +
            JSON.stringify(askedAgain.counts),
        )
        const images = Object.values(fullSize()).flat().length
        expect(first).toMatchObject({ state: 'done', images, repositories_failed: 0 })
        expect(second).toMatchObject({ state: 'done', images, manifests_read: 0 })
        expect(askedAgain.requests / asked.requests).toBeLessThan(0.01)
        expect(live).toBeLessThan(MOST_LIVE)
        await expectEqualToSource(inv, createTestSource(fullSize()))
      } finally {
        server.stop()
        await inv.stop()
      }
    },
    LONGEST,
  )
})

async function startServer(provider: ProviderName) {
  const waiting: ((told: unknown) => void)[] = []
  const next = () => new Promise<unknown>((resolve) => waiting.push(resolve))
  const started = next()
  const child = Bun.spawn([process.execPath, FULL_SIZE_SERVER, provider], {
    ipc: (message) => waiting.shift()?.(message),
    stdout: 'inherit',
    stderr: 'inherit',
  })
  const { url } = (await started) as { url: string }
  return {
    url,
    async tell(wanted: 'reset' | 'tell'): Promise<Told> {
      const told = next()
      child.send(wanted)
      return (await told) as Told
    },
    stop: () => child.kill(),
  }
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const from = performance.now()
  const result = await work()
  return [result, Math.round((performance.now() - from) / 1000)]
}

const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0)
