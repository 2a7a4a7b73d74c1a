import { readFile } from 'node:fs/promises'
import { createApiToken } from '../acceptance/admin-api.ts'
import { startEngines } from '../acceptance/engines.ts'
import { createRawRegistry, Refused } from '../acceptance/raw-registry.ts'
import { replicasOf, startReplicated } from '../acceptance/replicas.ts'
import { runVerb, type Server } from '../acceptance/server.ts'

/*
 * One layer, larger than the memory of any of them, in chunks through three replicas, each of which
 * is killed once while it takes one. The data is made on the way and kept nowhere but in the bucket,
 * which compresses it: every MiB is another one, and hardly takes any room.
 */

const MB = 1024 * 1024
const GB = 1024 * MB
const REPOSITORY = 'large/layer'

/** `50g`, `512m` or bytes. */
export const parseSize = (text: string): number => {
  const [, number = '', unit = ''] = /^(\d+)([gm]?)b?$/i.exec(text) ?? []
  return Number(number) * ({ g: GB, m: MB }[unit.toLowerCase()] ?? 1)
}

/** The bytes from `from` to before `to`, both whole MiB or the end. */
async function* generate(from: number, to: number) {
  const block = new Uint8Array(MB)
  for (let at = from; at < to; at += MB) {
    const bytes = block.slice(0, Math.min(MB, to - at))
    new DataView(bytes.buffer).setBigUint64(0, BigInt(at))
    bytes.set(new TextEncoder().encode(`block ${at}`), bytes.length >> 1)
    yield bytes
  }
}

const digestOf = async (size: number): Promise<string> => {
  const hasher = new Bun.CryptoHasher('sha256')
  for await (const bytes of generate(0, size)) hasher.update(bytes)
  return `sha256:${hasher.digest('hex')}`
}

/** The most memory that any process of a server had, in bytes, since it was started. */
const peakOf = async (server: Server): Promise<number> => {
  const peaks = (await server.children()).map(async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  })
  return Math.max(0, ...(await Promise.all(peaks)))
}

const mib = (bytes: number) => `${Math.round(bytes / MB)} MiB`

/** Resolves to whether all went well. */
export const pushLargeLayer = async (size: number, say: (text: string) => void) => {
  await startEngines({ compress: true })
  const server = await startReplicated()
  const replicas = replicasOf(server)
  let peak = 0
  const watch = setInterval(async () => {
    for (const member of replicas.members) peak = Math.max(peak, await peakOf(member))
  }, 1_000)
  try {
    const password = await createApiToken(server, server.admin, 'large')
    const user = { username: server.admin.username, password }
    const registry = createRawRegistry(server.url, user)
    const expect = async (status: number, what: string, answer: Response) => {
      const text = await answer.text()
      if (answer.status !== status) throw new Refused(answer.status, what, text)
      return answer.headers.get('location') ?? ''
    }
    const digest = await digestOf(size)
    const chunk = Math.max(MB, Math.floor(Math.min(2 * GB, size / 10) / MB) * MB)
    say(`a layer of ${mib(size)} in chunks of ${mib(chunk)}`)
    const path = `/v2/${REPOSITORY}/blobs/uploads/`
    let location = await expect(202, 'POST', await registry.request('POST', path))
    const started = performance.now()
    const killed = new Set<number>()
    let sentAgain = 0
    let waited = 0

    /** Where the session stands, as soon as somebody takes requests again. */
    const standing = async (): Promise<number> => {
      for (;;) {
        const answer = await registry.request('GET', location).catch(() => undefined)
        await answer?.arrayBuffer()
        if (answer?.status === 204) {
          const last = Number(/0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1] ?? 0)
          return last === 0 ? 0 : last + 1
        }
        if (answer && ![429, 502, 503].includes(answer.status)) {
          throw new Refused(answer.status, 'GET of the session', '')
        }
        await Bun.sleep(500)
      }
    }

    for (let at = 0; at < size; ) {
      const end = Math.min(size, at + chunk)
      const before = [...replicas.balancer.given]
      // After a quarter, a half and three quarters one is killed in the middle of its chunk.
      const body = generate(at, end)
      let sent = 0
      const stream = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { done, value } = await body.next()
          if (done) return controller.close()
          sent += value.length
          const isDue = at + sent > (size * (killed.size + 1)) / (replicas.members.length + 1)
          if (isDue && sent > (end - at) / 2) {
            const taker = replicas.balancer.given.findIndex((n, i) => n > (before[i] ?? 0))
            const victim = replicas.members[taker]
            if (victim && !killed.has(taker)) {
              killed.add(taker)
              await victim.killAll()
              say(`  replica ${taker + 1} killed at ${mib(at + sent)}`)
            }
          }
          controller.enqueue(value)
        },
      })
      const asked = performance.now()
      try {
        const headers = {
          'content-type': 'application/octet-stream',
          'content-range': `${at}-${end - 1}`,
        }
        const answer = await registry.request('PATCH', location, { headers, body: stream })
        location = await expect(202, 'PATCH', answer)
        at = end
      } catch (error) {
        if (error instanceof Refused && ![429, 502, 503].includes(error.status)) throw error
        await replicas.revive()
        const now = await standing()
        sentAgain += at + sent - now
        say(`  goes on at ${mib(now)}, ${mib(at + sent - now)} are sent again`)
        at = now
        waited += performance.now() - asked
      }
    }
    const uploaded = performance.now()
    await expect(201, 'PUT', await registry.request('PUT', `${location}?digest=${digest}`))
    const committed = performance.now()
    const seconds = (from: number, to: number) => (to - from) / 1000
    say(
      `uploaded in ${seconds(started, uploaded).toFixed(1)} s, of which ${(waited / 1000).toFixed(1)} s in chunks that were cut off`,
    )
    say(
      `  ${(size / MB / seconds(started, uploaded)).toFixed(0)} MiB/s, ${mib(sentAgain)} sent twice`,
    )
    say(`committed in ${seconds(uploaded, committed).toFixed(2)} s`)

    const answer = await registry.request('GET', `/v2/${REPOSITORY}/blobs/${digest}`)
    const hasher = new Bun.CryptoHasher('sha256')
    let read = 0
    for await (const bytes of answer.body ?? []) {
      hasher.update(bytes)
      read += bytes.length
    }
    const found = `sha256:${hasher.digest('hex')}`
    say(`read back ${mib(read)} in ${seconds(committed, performance.now()).toFixed(1)} s`)
    clearInterval(watch)
    say(`most memory of one process of a replica: ${mib(peak)}`)
    const verified = await runVerb(server, 'verify')
    const isWhole = found === digest && read === size && killed.size === replicas.members.length
    if (!isWhole) say(`BROKEN  ${read} bytes with ${found}, not ${digest}; ${killed.size} killed`)
    say(verified.output.trim().split('\n').at(-1) ?? '')
    return isWhole && verified.exitCode === 0
  } finally {
    clearInterval(watch)
    await server.dispose()
  }
}
