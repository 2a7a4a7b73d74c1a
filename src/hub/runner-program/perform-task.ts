import type { JWK } from 'jose'
import { z } from 'zod'
import { type ClientMemory, createClientMemory } from '../../client/client-memory.ts'
import type { Endpoint } from '../../client/provider.ts'
import { PROVIDERS } from '../../client/providers/providers.ts'
import { createRemoteRegistry, type RemoteRegistry } from '../../client/remote-registry.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import type { GuardedFetch } from '../../lib/guarded-fetch.ts'
import type { Log } from '../../lib/log.ts'
import { because } from '../../lib/reasons.ts'
import { checkConnection } from '../health/check-connection.ts'
import { listRepositories } from '../inventory/list-repositories.ts'
import type { RepositoryStore } from '../inventory/repository-store.ts'
import { syncRepository } from '../inventory/sync-repository.ts'
import { hostAndPort, spokenAddress } from '../registries/address.ts'
import {
  KnownAnswer,
  MOST_ENTRIES,
  type RunnerPage,
  type RunnerResult,
  type RunnerTaskRegistry,
  type RunnerTaskView,
} from '../runners/protocol.ts'
import { openLogin } from '../runners/sealed-login.ts'
import type { CopyNotes } from './copy-notes.ts'
import { performCopy } from './perform-copy.ts'
import { failureOf, imageOf, partsOf, plainText, reportOf, saysOf, timeOf } from './wire-values.ts'

/** A test is for somebody who looks at it: it does not wait long for a registry to recover. */
const CHECK_PATIENCE = { tries: 2, longestWait: 3_000 }
const CHECK_LIMIT_MS = 60_000
/** Syncs whose clients are kept from one task to the next. */
const MOST_KEPT = 8
const LONGEST_NAME = 512
/** Some providers make the host of their API out of it, as the hub may not choose one. */
const REGION = /^[A-Za-z0-9-]{0,64}$/
const TAG = /^[\w][\w.-]{0,127}$/

export interface PerformDeps {
  privateKey: JWK
  /** Says something about a task to the hub, again and again until it is heard. */
  tell<S extends z.ZodType>(
    task: RunnerTaskView,
    path: 'known' | 'pages' | 'token',
    body: object,
    answer: S,
    signal: AbortSignal,
  ): Promise<z.output<S>>
  fetch: GuardedFetch
  clock: Clock
  log: Log
  userAgent: string
  /** The hub's `/v2`, where the token says what may be done there. */
  hubRegistry(token: () => Promise<string>, onTrouble: () => void): RemoteRegistry
  copyNotes: CopyNotes
  /** `host:port` of the only registries to be spoken to; empty: any that the hub names. */
  only: readonly string[]
}

/** Does what a task says. @throws AppError what the hub is told as its failure */
export type PerformTask = (task: RunnerTaskView, signal: AbortSignal) => Promise<RunnerResult>

export function createPerformTask(deps: PerformDeps): PerformTask {
  const { privateKey, tell, fetch, clock, log, userAgent, only } = deps
  const memory: ClientMemory = createClientMemory({ clock })
  /** What a client has read of its registry for one sync serves the other tasks of that sync. */
  const kept = new Map<string, RemoteRegistry>()

  async function endpointOf(registry: RunnerTaskRegistry): Promise<Endpoint> {
    const { provider, region, namespace, accessKey, verifyTls, caCertificate, apiVersion } =
      registry
    const address = spokenAddress(provider, registry.address)
    const host = hostAndPort(address)
    if (only.length > 0 && !only.includes(host)) {
      throw new AppError(
        'denied',
        `this runner was told to speak to ${only.join(', ')} alone, not to ${host}; see --registry of its program`,
        because('runner_other_registries', { name: host }),
      )
    }
    if (!REGION.test(region)) {
      throw new AppError('denied', 'the hub names a region that is none')
    }
    const secretKey =
      registry.secret === null ? '' : await openLogin(privateKey, registry.secret, registry)
    return {
      provider,
      address,
      accessKey,
      secretKey,
      verifyTls,
      apiVersion,
      ...(region === '' ? {} : { region }),
      ...(namespace === '' ? {} : { namespace }),
      ...(caCertificate === null ? {} : { caCertificate }),
      ...(registry.allowPrivate ? { allowPrivate: [host] } : {}),
    }
  }

  const connect = (endpoint: Endpoint, patience?: typeof CHECK_PATIENCE) =>
    createRemoteRegistry({
      endpoint,
      provider: PROVIDERS[endpoint.provider],
      fetch,
      clock,
      log,
      memory,
      userAgent,
      ...(patience ? { patience } : {}),
    })

  async function remoteFor(sync: number, registry: RunnerTaskRegistry): Promise<RemoteRegistry> {
    const key = `${sync} ${JSON.stringify(registry)}`
    const found = kept.get(key)
    const remote = found ?? connect(await endpointOf(registry))
    // The latest last, so that the first is the one to forget.
    kept.delete(key)
    kept.set(key, remote)
    const [oldest] = kept.keys()
    if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest)
    return remote
  }

  async function check(registry: RunnerTaskRegistry, asked: AbortSignal): Promise<RunnerResult> {
    const limit = AbortSignal.timeout(CHECK_LIMIT_MS)
    const signal = AbortSignal.any([asked, limit])
    const endpoint = await endpointOf(registry)
    try {
      const remote = connect(endpoint, CHECK_PATIENCE)
      const report = await checkConnection({ remote, endpoint, clock, signal })
      return { kind: 'checked', report: reportOf(report) }
    } catch (error) {
      asked.throwIfAborted()
      if (!limit.aborted) throw error
      const seconds = CHECK_LIMIT_MS / 1000
      throw new AppError(
        'unavailable',
        `the test took longer than ${seconds} s`,
        because('check_too_long', { seconds }),
      )
    }
  }

  function send(task: RunnerTaskView, page: RunnerPage, signal: AbortSignal): Promise<undefined> {
    return tell(task, 'pages', { page }, z.undefined(), signal)
  }

  /** The hub's rows of one repository. */
  function storeOf(task: RunnerTaskView, signal: AbortSignal): RepositoryStore {
    return {
      async known(tags) {
        const found = new Map<string, { digest: string; pushedAt: number | null }>()
        for (const part of partsOf(tags.filter(isTag), MOST_ENTRIES)) {
          const { items } = await tell(task, 'known', { tags: part }, KnownAnswer, signal)
          for (const { tag, ...known } of items) found.set(tag, known)
        }
        return found
      },
      async write(unchanged, changed) {
        const seen = unchanged.flatMap(({ tag, pushedAt }) => {
          const pushed = timeOf(pushedAt)
          return isTag(tag) ? [{ tag, ...(pushed === undefined ? {} : { pushedAt: pushed }) }] : []
        })
        for (const part of partsOf(seen, MOST_ENTRIES)) {
          await send(task, { kind: 'images', unchanged: part, changed: [] }, signal)
        }
        const images = changed.filter(({ tag }) => isTag(tag)).map(imageOf)
        for (const part of partsOf(images, MOST_ENTRIES)) {
          await send(task, { kind: 'images', unchanged: [], changed: part }, signal)
        }
      },
      settle: async () => send(task, { kind: 'settled' }, signal),
    }
  }

  return async (task, signal) => {
    const { work, registry } = task
    if (work.kind === 'check') return check(registry, signal)
    if (work.kind === 'copy') {
      const remote = connect(await endpointOf(registry))
      const { other } = task
      const isSame = other?.id === registry.id
      const end = other && (isSame ? remote : connect(await endpointOf(other)))
      return performCopy(deps, { ...task, work }, { remote, other: end }, signal)
    }
    const remote = await remoteFor(work.sync, registry)
    if (work.kind === 'list') {
      const { problem, problemSays, note, noteSays } = await listRepositories(
        remote,
        registry.namespace,
        signal,
        async (listed) => {
          const found = listed.flatMap(({ name, mark }) =>
            name.length <= LONGEST_NAME && !/\p{Cc}/u.test(name) && name.isWellFormed()
              ? [{ name, ...(mark === undefined ? {} : { mark: plainText(mark, 256) }) }]
              : [],
          )
          for (const part of partsOf(found, MOST_ENTRIES)) {
            await send(task, { kind: 'repositories', found: part }, signal)
          }
        },
      )
      return {
        kind: 'listed',
        ...(problem === undefined ? {} : { problem: plainText(problem, 1_000) }),
        ...(problemSays === undefined ? {} : { problemSays: saysOf(problemSays) }),
        ...(note === undefined ? {} : { note: plainText(note, 1_000) }),
        ...(noteSays === undefined ? {} : { noteSays: saysOf(noteSays) }),
      }
    }
    const store = storeOf(task, signal)
    const result = await syncRepository({ store, registry: remote }, work.repository, signal)
    const { images, manifestsRead, error } = result
    return {
      kind: 'read',
      images,
      manifestsRead,
      ...(error === undefined ? {} : { failure: failureOf(error) }),
    }
  }
}

const isTag = (text: string): boolean => TAG.test(text)
