import { z } from 'zod'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { Endpoint, Login, Provider, ProviderContext } from '../provider.ts'
import { remoteFault } from '../remote-error.ts'
import { type ApiCall, callJson, isStatus } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { cloudAddress, hostnameOf, hostOf, isWithin, namespaceOf, storedLogin } from './endpoint.ts'
import { exchangeServiceKey, forgetServiceToken, readServiceKey } from './google-token.ts'

const PAGE_SIZE = 1000
/** Repositories of a project are few; each is a page of its own at least. */
const REPOSITORIES_AT_ONCE = 100
/** The former Container Registry, whose hosts are repositories of that name now. */
const OLD_HOSTS: Record<string, string> = {
  'gcr.io': 'us',
  'us.gcr.io': 'us',
  'eu.gcr.io': 'europe',
  'asia.gcr.io': 'asia',
}
const CREATION_TRIES = 20

const Repositories = z.object({
  repositories: z.array(z.object({ name: z.string(), format: z.string().optional() })).optional(),
  nextPageToken: z.string().optional(),
})
const Packages = z.object({
  packages: z.array(z.object({ name: z.string() })).optional(),
  nextPageToken: z.string().optional(),
})
const Place = z.object({
  /** Of the list of repositories. */
  list: z.string().optional(),
  /** Which one of that page. */
  index: z.number().int().nonnegative(),
  /** Of the packages in it. */
  packages: z.string().optional(),
})

export const gar: Provider = {
  name: 'gar',
  limits: { concurrency: 8, pageSize: PAGE_SIZE },
  registryUrl: cloudAddress,

  async login(context) {
    const { endpoint } = context
    const stored = storedLogin(endpoint)
    if (!stored) return undefined
    const key = readServiceKey(endpoint)
    // An access token stored as such, for as long as it lives: an hour at most.
    if (!key) return stored
    const { token, expiresAt } = await exchangeServiceKey(context, key)
    return { username: 'oauth2accesstoken', password: token, expiresAt }
  },

  async listRepositories(context, options) {
    const { endpoint } = context
    const namespace = namespaceOf(endpoint, options.namespace)
    const [project = readServiceKey(endpoint)?.project_id, wanted] = namespace?.split('/') ?? []
    if (project === undefined) {
      const message = `Google Artifact Registry lists repositories of one project: give a namespace, project or project/repository`
      throw new AppError('invalid_input', message, { field: 'namespace' })
    }
    const place = decodeCursor(Place, options.next) ?? { index: 0 }
    const { location, repository: ofHost } = locate(endpoint)
    const parent = `/v1/projects/${encodeURIComponent(project)}/locations/${location}/repositories`
    const only = ofHost ?? wanted
    const listed =
      only === undefined ? await readRepositories(context, parent, place.list) : { ids: [only] }
    const id = listed.ids[place.index]
    if (id === undefined) return { repositories: [] }
    const query = new URLSearchParams({ pageSize: `${PAGE_SIZE}` })
    if (place.packages !== undefined) query.set('pageToken', place.packages)
    const path = `${parent}/${encodeURIComponent(id)}/packages?${query}`
    const answer = await send(context, 'list images', path, Packages)
    // In the old hosts' names the repository is the host.
    const prefix = ofHost === undefined ? `${project}/${id}` : project
    const names = (answer.packages ?? []).map(({ name }) => `${prefix}/${lastPart(name)}`)
    const next = followingPlace(place, listed, answer.nextPageToken)
    return {
      repositories: names.filter((name) => isWithin(name, namespace)),
      ...(next ? { next: encodeCursor(next) } : {}),
    }
  },

  async ensureRepository(context, repository) {
    const { location, repository: ofHost } = locate(context.endpoint)
    const [project, id, image] = repository.split('/')
    // Repositories of the old hosts are made by Google with the first push.
    if (ofHost !== undefined) return
    if (!project || !id || !image) {
      const message = `"${repository}" is no name in Google Artifact Registry: project/repository/image`
      throw new AppError('name_invalid', message)
    }
    const parent = `/v1/projects/${encodeURIComponent(project)}/locations/${location}/repositories`
    const path = `${parent}/${encodeURIComponent(id)}`
    if (await isThere(context, path)) return
    const query = new URLSearchParams({ repositoryId: id })
    const purpose = `create the repository "${project}/${id}"`
    try {
      await send(context, purpose, `${parent}?${query}`, z.unknown(), {
        method: 'POST',
        body: JSON.stringify({ format: 'DOCKER' }),
      })
    } catch (error) {
      // ALREADY_EXISTS: somebody was faster.
      if (!isStatus(error, 409)) throw error
    }
    // The creation is an operation that runs on.
    for (let tries = 0; tries < CREATION_TRIES; tries += 1) {
      if (await isThere(context, path)) return
      context.signal?.throwIfAborted()
      await Bun.sleep(Math.min(100 * 2 ** tries, 2000))
    }
    const message = `Google Artifact Registry has not finished to ${purpose}; try again in a minute`
    throw remoteFault('server', message)
  },
}

/** True also for who may not look, since they may still push. */
async function isThere(context: ProviderContext, path: string): Promise<boolean> {
  try {
    await send(context, 'look for a repository', path, z.unknown())
    return true
  } catch (error) {
    if (isAppError(error, 'not_found')) return false
    if (isStatus(error, 403)) return true
    throw error
  }
}

async function readRepositories(context: ProviderContext, parent: string, token?: string) {
  const query = new URLSearchParams({ pageSize: `${REPOSITORIES_AT_ONCE}` })
  if (token !== undefined) query.set('pageToken', token)
  const purpose = 'list repositories'
  const answer = await send(context, purpose, `${parent}?${query}`, Repositories)
  const ids = (answer.repositories ?? [])
    .filter(({ format }) => format === undefined || format === 'DOCKER')
    .map(({ name }) => lastPart(name))
  return { ids, nextList: answer.nextPageToken || undefined }
}

function followingPlace(
  place: z.infer<typeof Place>,
  listed: { ids: string[]; nextList?: string | undefined },
  nextPackages: string | undefined,
): z.infer<typeof Place> | undefined {
  if (nextPackages) return { ...place, packages: nextPackages }
  const { list, index } = place
  if (index + 1 < listed.ids.length) {
    return { index: index + 1, ...(list === undefined ? {} : { list }) }
  }
  return listed.nextList === undefined ? undefined : { index: 0, list: listed.nextList }
}

/** `…/packages/team%2Fweb` → `team/web` */
function lastPart(name: string): string {
  return decodeURIComponent(name.slice(name.lastIndexOf('/') + 1))
}

function locate(endpoint: Endpoint): { location: string; repository?: string } {
  const hostname = hostnameOf(endpoint)
  const old = OLD_HOSTS[hostname]
  if (old !== undefined) return { location: old, repository: hostname }
  const location = /^([a-z0-9-]+)-docker\.pkg\.dev$/.exec(hostname)?.[1] ?? endpoint.region?.trim()
  if (location) return { location }
  const message = `the location of Google Artifact Registry cannot be seen from the address ${hostname}: give it as the region, such as europe-west1`
  throw new AppError('invalid_input', message, { field: 'region' })
}

async function send<T>(
  context: ProviderContext,
  purpose: string,
  path: string,
  schema: z.ZodType<T>,
  more: { method?: string; body?: string } = {},
): Promise<T> {
  const base = context.apiUrl?.('google-artifacts') ?? 'https://artifactregistry.googleapis.com'
  const callWith = async (login: Login | undefined) => {
    const call: ApiCall = {
      registry: `Google Artifact Registry at ${hostOf(context.endpoint)}`,
      purpose,
      url: `${base}${path}`,
      ...more,
      headers: {
        ...(login ? { authorization: `Bearer ${login.password}` } : {}),
        ...(more.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      isVendorApi: true,
      advice:
        'check the key, and that its account has a role for Artifact Registry in this project',
    }
    return (await callJson(context, call, schema)).value
  }
  const kept = await gar.login(context)
  try {
    return await callWith(kept)
  } catch (error) {
    const key = readServiceKey(context.endpoint)
    if (!key || !isStatus(error, 401)) throw error
    forgetServiceToken(context, key)
    return callWith(await gar.login(context))
  }
}
