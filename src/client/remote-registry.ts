import { type Clock, systemClock } from '../lib/clock.ts'
import type { GuardedFetch } from '../lib/guarded-fetch.ts'
import { type Log, silentLog } from '../lib/log.ts'
import { LIBRARY } from '../oci/reference.ts'
import type { Registry, RegistryCall } from '../oci/registry.ts'
import { createAuthorization, type Ping } from './authorization.ts'
import { createBlobs } from './blobs.ts'
import {
  type ClientMemory,
  createClientMemory,
  endpointKey,
  type Observed,
  poolKey,
} from './client-memory.ts'
import { bindFetch } from './endpoint-fetch.ts'
import { createInventory, type Inventory } from './inventory.ts'
import { createLists } from './lists.ts'
import { createManifests } from './manifests.ts'
import type { Endpoint, Login, Provider, ProviderContext } from './provider.ts'
import { createReferrers } from './referrers.ts'
import { createTransport, type Patience } from './transport.ts'
import { createUploads } from './uploads.ts'
import { abortable, sleep as realSleep, type Sleep } from './waiting.ts'

interface RemoteOptions {
  endpoint: Endpoint
  provider: Provider
  fetch: GuardedFetch
  clock?: Clock
  log?: Log
  /** Shared by all clients of a process; its own when left out. */
  memory?: ClientMemory
  patience?: Partial<Patience>
  /** `Entrepot/1.2.3` */
  userAgent?: string
  apiUrl?: ProviderContext['apiUrl']
  sleep?: Sleep
}

/** A registry of somebody else, with what a step-by-step test of the connection needs besides. */
export interface RemoteRegistry extends Registry {
  /** With the port unless it is the default one. */
  host: string
  /** `/v2/` without a login, past all that is kept: does it answer, and what does it want? */
  ping(call?: RegistryCall): Promise<Ping>
  /** The login that the provider makes of the keys; undefined: anonymous. */
  login(call?: RegistryCall): Promise<Login | undefined>
  /**
   * Gets what these scopes need, such as `repository:a/b:pull`. Registries with Basic have no
   * scopes: there the login is checked at `/v2/`.
   */
  authorize(scopes: string[], call?: RegistryCall): Promise<void>
  /** Opens an upload and cancels it: may this account push here? */
  tryUpload(repository: string, call?: RegistryCall): Promise<void>
  /** What there is, by the provider's own API where it has one. For one run: it remembers. */
  inventory: Inventory
  /** Of the last answers; of all clients that share the memory. */
  observed(): Observed
}

const PATIENCE: Patience = { tries: 5, longestWait: 60_000 }
const ENSURED_MS = 600_000
/** Such as the version of a product. */
const FACT_MS = 3_600_000
/** A registry may be updated to one that has the referrers API. */
const API_MS = 3_600_000

/**
 * The client to any registry (distribution-spec 1.1, with what those of this world do otherwise).
 * Names are those of the registry; on Docker Hub `alpine` is `library/alpine`.
 *
 * Failures are `AppError`s whose message names the registry and what it said, with
 * `details.problem`: see `AnswerProblem` and `RemoteProblem`; `isWorthRetrying` tells what may
 * pass by itself.
 */
export function createRemoteRegistry({
  endpoint,
  provider,
  fetch,
  clock = systemClock,
  log = silentLog,
  memory = createClientMemory({ clock }),
  patience,
  userAgent = 'Entrepot',
  apiUrl,
  sleep = realSleep,
}: RemoteOptions): RemoteRegistry {
  const base = new URL(`${provider.registryUrl(endpoint).replace(/\/+$/, '')}/`)
  const key = endpointKey(endpoint, base)
  const own = bindFetch(fetch, endpoint, userAgent)
  const context: ProviderContext = {
    endpoint,
    fetch: own,
    apiFetch: bindFetch(
      fetch,
      { ...endpoint, verifyTls: true, caCertificate: undefined },
      userAgent,
    ),
    clock: { now: clock },
    remember: async <T>(what: string, load: () => Promise<T>) => {
      const value = memory.provider.get(`${key} ${what}`, async () => ({
        value: await load(),
        until: clock() + FACT_MS,
      }))
      return (await value) as T
    },
    ...(apiUrl ? { apiUrl } : {}),
  }
  const authorization = createAuthorization({
    base,
    key,
    endpoint,
    provider,
    context,
    fetch: own,
    memory,
    clock,
  })
  const observed = memory.observedOf(key)
  const pool = poolKey(endpoint, base)
  const throttle = memory.throttleOf(key, pool, base.host, provider.limits)
  const transport = createTransport({
    base,
    fetch: own,
    authorization,
    throttle,
    observed,
    patience: { ...PATIENCE, ...patience },
    clock,
    sleep,
    log,
  })
  const manifests = createManifests(transport)
  const blobs = createBlobs(transport)
  const uploads = createUploads({ transport, provider, hasBlob: blobs.has })
  const lists = createLists({ transport, provider, context })
  const referrers = createReferrers({
    transport,
    manifests,
    api: {
      has() {
        const known = memory.referrersApi.get(key)
        return known && known.until > clock() ? known.has : undefined
      },
      note: (has) => memory.referrersApi.set(key, { has, until: clock() + API_MS }),
    },
  })

  const isDockerHub = provider.name === 'dockerhub'
  const nameOf = (name: string) =>
    isDockerHub && !name.includes('/') ? `${LIBRARY}/${name}` : name

  /** Before the first push: registries that have a place made for each repository. */
  async function ensure(repository: string, { signal }: RegistryCall): Promise<void> {
    const { ensureRepository } = provider
    if (!ensureRepository) return
    const made = memory.ensured.get(`${key} ${repository}`, async () => {
      await ensureRepository(context, repository)
      return { value: true, until: clock() + ENSURED_MS }
    })
    await abortable(made, signal)
  }

  return {
    host: base.host,
    ping: (call) => authorization.ping(call?.signal),
    login: (call) => abortable(authorization.loginOf(), call?.signal),
    async authorize(scopes, call) {
      const { response } = await transport.send({
        method: 'GET',
        url: transport.pathUrl(''),
        doing: 'log in',
        scopes,
        expect: [200],
        signal: call?.signal,
      })
      await response.body?.cancel()
    },
    async tryUpload(name, call = {}) {
      const repository = nameOf(name)
      await uploads.cancel(await uploads.start(repository, call))
    },
    inventory: createInventory({ provider, context, lists, transport, throttle }),
    observed: () => ({ ...observed }),

    resolveManifest: (name, reference, call) => manifests.resolve(nameOf(name), reference, call),
    readManifest: (name, reference, call) => manifests.read(nameOf(name), reference, call),
    async writeManifest(name, manifest, options = {}) {
      const repository = nameOf(name)
      await ensure(repository, options)
      const headers = await manifests.write(repository, manifest, options)
      await referrers.added(repository, manifest, headers, { signal: options.signal })
    },
    hasBlob: (name, digest, call) => blobs.has(nameOf(name), digest, call),
    readBlob: (name, blob, options) => blobs.read(nameOf(name), blob, options),
    async mountBlob(name, digest, from, call = {}) {
      const repository = nameOf(name)
      await ensure(repository, call)
      return uploads.mount(repository, digest, from === undefined ? from : nameOf(from), call)
    },
    async writeBlob(name, blob, open, call = {}) {
      const repository = nameOf(name)
      await ensure(repository, call)
      await uploads.write(repository, blob, open, call)
    },
    listTags: (name, call) => lists.tags(nameOf(name), call),
    listRepositories: (options) => lists.repositories(options),
    listReferrers: (name, digest, options) => referrers.list(nameOf(name), digest, options),
    deleteTag: (name, tag, call) => manifests.remove(nameOf(name), tag, call),
    deleteManifest: (name, digest, call = {}) =>
      referrers.without(nameOf(name), digest, call, () =>
        manifests.remove(nameOf(name), digest, call),
      ),
  }
}
