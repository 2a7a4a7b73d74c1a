import { z } from 'zod'
import { isAppError } from '../../lib/errors.ts'
import type { Provider } from '../provider.ts'
import { callApi, refusalOf } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { isWithin, namespaceOf, ownAddress, splitRepository, storedLogin } from './endpoint.ts'
import {
  callOf,
  isKeyOfHost,
  PAGE_SIZE,
  type RepositoryKey,
  readCatalog,
  readKeys,
} from './jfrog-api.ts'
import { jfrogInventory } from './jfrog-inventory.ts'

const Place = z.object({
  /** The repository key that is read now. */
  key: z.string(),
  /** The last image of the page before. */
  last: z.string().optional(),
})

/**
 * Artifactory. Its repositories ("keys") are either the first component of an image's name
 * (`host/key/image`) or a label of the host (`key.host`, `server-key.jfrog.io`), or a port.
 */
export const jfrog: Provider = {
  name: 'jfrog',
  limits: { concurrency: 8, pageSize: PAGE_SIZE },
  uploadByPatch: true,
  registryUrl: ownAddress,
  login: async ({ endpoint }) => storedLogin(endpoint),
  inventory: jfrogInventory,

  async listRepositories(context, options) {
    const { endpoint } = context
    const place = decodeCursor(Place, options.next)
    const namespace = namespaceOf(endpoint, options.namespace)
    let keys: RepositoryKey[]
    try {
      keys = await readKeys(context)
    } catch (error) {
      // A proxy may let only the registry through; then its catalog is all there is.
      if (isAppError(error, 'not_found', 'remote_denied', 'remote_error') && !place)
        return undefined
      throw error
    }
    const ofHost = keys.find(({ key }) => isKeyOfHost(endpoint, key))
    const wanted = namespace?.split('/')[0]
    const readable = ofHost
      ? [ofHost]
      : keys.filter(({ key }) => wanted === undefined || key === wanted)
    const index = place ? readable.findIndex(({ key }) => key === place.key) : 0
    const current = readable[index]
    if (!current) return { repositories: [] }
    const images = await readCatalog(context, current, place?.last)
    const following = readable[index + 1]
    const last = images.at(-1)
    const next =
      images.length >= PAGE_SIZE
        ? encodeCursor({ key: current.key, last })
        : following && encodeCursor({ key: following.key })
    const names = images.map((image) => (ofHost ? image : `${current.key}/${image}`))
    return {
      repositories: names.filter((name) => isWithin(name, namespace)),
      ...(next === undefined ? {} : { next }),
    }
  },

  async ensureRepository(context, repository) {
    const { namespace: key } = splitRepository(repository)
    const path = `/artifactory/api/repositories/${encodeURIComponent(key)}`
    const seen = await callApi(context, callOf(context, 'look for a repository', path))
    // 400 is how it says "no such repository"; who may not look may still push.
    if (seen.status !== 404 && seen.status !== 400) return
    const keys = await readKeys(context).catch(() => [])
    if (keys.some(({ key }) => isKeyOfHost(context.endpoint, key))) return
    const create = callOf(context, `create the Docker repository "${key}"`, path, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key, rclass: 'local', packageType: 'docker' }),
      advice: `ask an administrator of Artifactory to create the local Docker repository "${key}"`,
    })
    const answer = await callApi(context, create)
    if (answer.status < 200 || answer.status > 299) throw refusalOf(context, create, answer)
  },
}
