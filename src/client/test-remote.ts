import { createGuardedFetch, type GuardedFetch } from '../lib/guarded-fetch.ts'
import { failureOf as failureOfPromise } from '../lib/test-failure.ts'
import { type ClientMemory, createClientMemory } from './client-memory.ts'
import type { Endpoint, Login, Provider } from './provider.ts'
import { createRemoteRegistry, type RemoteRegistry } from './remote-registry.ts'

/** Everything that is asked for is on this machine. */
export const loopbackFetch = createGuardedFetch({ allowedNetworks: ['127.0.0.0/8', '::1/128'] })

export interface TestRemote {
  registry: RemoteRegistry
  /** Milliseconds that were slept instead of waited. */
  slept: number[]
  clock: { now: number }
}

/** A client that does not wait: sleeping moves its clock. */
export function remoteOf(
  address: string,
  options: {
    endpoint?: Partial<Endpoint>
    provider?: Partial<Provider>
    fetch?: GuardedFetch
    patience?: { tries?: number; longestWait?: number }
    /** Clients of one process share it. */
    memory?: ClientMemory
  } = {},
): TestRemote {
  const slept: number[] = []
  const clock = { now: Date.now() }
  const now = () => clock.now
  const sleep = async (ms: number) => {
    slept.push(ms)
    clock.now += ms
  }
  const endpoint: Endpoint = {
    provider: 'native',
    address,
    accessKey: '',
    secretKey: '',
    verifyTls: true,
    ...options.endpoint,
  }
  const provider: Provider = {
    name: 'native',
    limits: { concurrency: 8, pageSize: 3 },
    registryUrl: () => address,
    login: async (): Promise<Login | undefined> =>
      endpoint.accessKey === ''
        ? undefined
        : { username: endpoint.accessKey, password: endpoint.secretKey },
    ...options.provider,
  }
  const registry = createRemoteRegistry({
    endpoint,
    provider,
    fetch: options.fetch ?? loopbackFetch,
    clock: now,
    sleep,
    memory: options.memory ?? createClientMemory({ clock: now, sleep }),
    ...(options.patience ? { patience: options.patience } : {}),
  })
  return { registry, slept, clock }
}

/** The `AppError` that `work` fails with, as one object; of a list also while it is read. */
export async function failureOf(work: Promise<unknown> | AsyncIterable<unknown>) {
  return failureOfPromise(Symbol.asyncIterator in work ? readOut(work) : work)
}

async function readOut(list: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of list);
}

export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

export async function entriesOf(pages: AsyncIterable<string[]>): Promise<string[]> {
  const entries: string[] = []
  for await (const page of pages) entries.push(...page)
  return entries
}

/** A blob's bytes in pieces, as `writeBlob` opens them; `onOpen` is told each offset. */
export function opened(bytes: Uint8Array, onOpen: (offset: number) => void = () => {}) {
  return async (offset: number) => {
    onOpen(offset)
    let at = offset
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) return controller.close()
        controller.enqueue(bytes.subarray(at, at + 50_000))
        at += 50_000
      },
    })
  }
}
