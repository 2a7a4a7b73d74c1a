import { z } from 'zod'
import { isAppError } from '../../lib/errors.ts'
import type { Provider, ProviderContext } from '../provider.ts'
import { callApi, callJson, refusalOf } from './api-call.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { isWithin, namespaceOf, ownAddress, splitRepository, storedLogin } from './endpoint.ts'
import { callOf, PAGE_SIZE } from './harbor-api.ts'
import { harborInventory } from './harbor-inventory.ts'

const Named = z.array(z.object({ name: z.string() }))
const Place = z.object({
  /** Of the repositories. */
  page: z.number().int().positive(),
  /** Where every project is walked: the page of one project that we are at. */
  project: z.number().int().positive().optional(),
})
type Place = z.infer<typeof Place>

export const harbor: Provider = {
  name: 'harbor',
  limits: { concurrency: 8, pageSize: PAGE_SIZE },
  registryUrl: ownAddress,
  login: async ({ endpoint }) => storedLogin(endpoint),
  inventory: harborInventory,

  async listRepositories(context, options) {
    // The catalog is for system administrators; API v2.0 answers everybody with what they may see.
    const namespace = namespaceOf(context.endpoint, options.namespace)
    const place = decodeCursor(Place, options.next) ?? { page: 1 }
    const project = namespace?.split('/')[0]
    if (project !== undefined) return listProject(context, project, place, namespace)
    if (place.project !== undefined) return walkProjects(context, place)
    try {
      return await listPage(context, '/repositories', place)
    } catch (error) {
      // Only from 2.3 on; before, project by project.
      if (isAppError(error, 'not_found')) return walkProjects(context, { page: 1, project: 1 })
      throw error
    }
  },

  async ensureRepository(context, repository) {
    const { namespace: project } = splitRepository(repository)
    const name = encodeURIComponent(project)
    const seen = await callApi(
      context,
      callOf(context, 'look for a project', `/projects?project_name=${name}`, { method: 'HEAD' }),
    )
    // A robot that may only push is not told; the push says what is missing.
    if (seen.status !== 404) return
    const create = callOf(context, `create the project "${project}"`, '/projects', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ project_name: project, metadata: { public: 'false' } }),
      advice: `ask an administrator of Harbor to create the project "${project}", or use an account that may create projects`,
    })
    const answer = await callApi(context, create)
    // 409: somebody was faster.
    if (answer.status !== 201 && answer.status !== 409) throw refusalOf(context, create, answer)
  },
}

async function listProject(
  context: ProviderContext,
  project: string,
  place: Place,
  namespace: string | undefined,
) {
  const path = `/projects/${encodeURIComponent(project)}/repositories`
  const page = await listPage(context, path, place)
  return { ...page, repositories: page.repositories.filter((name) => isWithin(name, namespace)) }
}

async function listPage(context: ProviderContext, path: string, place: Place) {
  const { names, hasMore } = await readPage(context, path, place.page)
  return {
    repositories: names,
    ...(hasMore ? { next: encodeCursor({ ...place, page: place.page + 1 }) } : {}),
  }
}

/** Projects one at a time, since each has pages of its own. */
async function walkProjects(context: ProviderContext, { page, project = 1 }: Place) {
  const projects = await readPage(context, '/projects', project, 1)
  const name = projects.names[0]
  if (name === undefined) return { repositories: [] }
  const path = `/projects/${encodeURIComponent(name)}/repositories`
  const { names, hasMore } = await readPage(context, path, page)
  const following = hasMore ? { page: page + 1, project } : { page: 1, project: project + 1 }
  const isLast = !hasMore && !projects.hasMore
  return { repositories: names, ...(isLast ? {} : { next: encodeCursor(following) }) }
}

async function readPage(context: ProviderContext, path: string, page: number, size = PAGE_SIZE) {
  const call = callOf(
    context,
    'list repositories',
    `${path}?page=${page}&page_size=${size}&sort=name`,
    {
      // A project whose name is a number is not an id.
      headers: { 'x-is-resource-name': 'true' },
    },
  )
  const { value, headers } = await callJson(context, call, Named.nullable())
  const names = (value ?? []).map(({ name }) => name)
  const total = Number(headers.get('x-total-count') ?? Number.NaN)
  const hasMore = Number.isFinite(total) ? page * size < total : names.length === size
  return { names, hasMore: hasMore && names.length > 0 }
}
