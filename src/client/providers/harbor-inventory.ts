import { z } from 'zod'
import { AppError, isAppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type {
  Inventory,
  Listed,
  ListedRepository,
  ListedTag,
  ProviderInventory,
} from '../inventory.ts'
import type { ProviderContext } from '../provider.ts'
import { callJson } from './api-call.ts'
import { isWithin, namespaceOf } from './endpoint.ts'
import { callOf, PAGE_SIZE } from './harbor-api.ts'
import { type Artifact, Artifacts, createArtifactReader } from './harbor-artifacts.ts'
import { harborV1Inventory } from './harbor-v1.ts'

/**
 * From 2.15.2 on `update_time` of a repository moves with everything that is pushed to it, retagged
 * or deleted (goharbor/harbor#23225); before, a retag left it as it was.
 */
const FIRST_WITH_TIMES = [2, 15, 2] as const
const MOST_PAGES = 100_000

const Info = z.object({ harbor_version: z.string().nullish() })
const Repositories = z
  .array(
    z.object({
      name: z.string(),
      update_time: z.string().nullish(),
      artifact_count: z.number().nullish(),
    }),
  )
  .nullable()
const Projects = z.array(z.object({ name: z.string() })).nullable()

/**
 * Harbor by its API: 100 repositories and 100 artifacts with their tags, times, sizes and platforms
 * per request. The API that the endpoint names is tried first, then the other one.
 */
export const harborInventory: ProviderInventory = (context) => {
  const byVersion = { V1: harborV1Inventory(context), V2: v2Inventory(context) }
  const first = context.endpoint.apiVersion ?? 'V2'
  const order = first === 'V1' ? (['V1', 'V2'] as const) : (['V2', 'V1'] as const)
  /** The one that answered. */
  let known: Inventory | undefined

  async function* either<T>(list: (by: Inventory) => AsyncIterable<Listed<T>>) {
    if (known) return yield* list(known)
    const [one, other] = [byVersion[order[0]], byVersion[order[1]]]
    let absent: unknown
    try {
      for await (const page of list(one)) {
        known = one
        yield page
      }
      known = one
      return
    } catch (error) {
      if (known || !isAppError(error, 'not_found')) throw error
      absent = error
    }
    try {
      for await (const page of list(other)) {
        known = other
        yield page
      }
    } catch (error) {
      throw isAppError(error, 'not_found') && !known ? absent : error
    }
  }

  return {
    repositories: (options) => either((by) => by.repositories(options)),
    tags: (repository, call) => either((by) => by.tags(repository, call)),
  }
}

function v2Inventory(of: ProviderContext): Inventory {
  return {
    async *repositories({ namespace: asked, signal }) {
      const context = { ...of, signal }
      const namespace = namespaceOf(context.endpoint, asked)
      const project = namespace?.split('/')[0]
      const hasTimes = await tellsChanges(context)
      const toItems = (page: z.infer<typeof Repositories>): ListedRepository[] =>
        (page ?? [])
          .filter(({ name }) => isWithin(name, namespace))
          .map(({ name, update_time: time, artifact_count: count }) => ({
            name,
            mark: hasTimes && time ? `${time} ${count ?? ''}` : undefined,
          }))
      for await (const { items, problem } of listRepositories(context, project)) {
        yield { items: toItems(items), ...(problem ? { problem } : {}) }
      }
    },

    async *tags(repository, { signal }) {
      const context = { ...of, signal }
      const slash = repository.indexOf('/')
      const project = encodeURIComponent(repository.slice(0, slash))
      // Twice, or a proxy before it would take its slashes for those of the path.
      const name = encodeURIComponent(encodeURIComponent(repository.slice(slash + 1)))
      const path = `/projects/${project}/repositories/${name}/artifacts`
      // By id: images come before the indexes that name them, and what is pushed meanwhile last.
      const query = 'q=base%3D%2A&sort=id&with_tag=true'
      const reader = createArtifactReader()
      const pages = readPages(
        context,
        `${path}?${query}`,
        Artifacts,
        `list the tags of ${repository}`,
      )
      for await (const { items, problem } of pages) {
        const tags = (items ?? []).flatMap((artifact: Artifact): ListedTag[] =>
          reader.tagsOf(artifact),
        )
        yield { items: tags, ...(problem ? { problem } : {}) }
      }
    },
  }
}

async function* listRepositories(context: ProviderContext, project: string | undefined) {
  const doing = 'list its repositories'
  const ofProject = (name: string) =>
    readPages(
      context,
      `/projects/${encodeURIComponent(name)}/repositories?sort=name`,
      Repositories,
      doing,
    )
  if (project !== undefined) return yield* ofProject(project)
  let isBegun = false
  try {
    for await (const page of readPages(context, '/repositories?sort=name', Repositories, doing)) {
      isBegun = true
      yield page
    }
    return
  } catch (error) {
    // Only from 2.3 on; before, project by project.
    if (isBegun || !isAppError(error, 'not_found')) throw error
  }
  for await (const { items, problem } of readPages(
    context,
    '/projects?sort=name',
    Projects,
    doing,
  )) {
    if (problem) yield { items: null, problem }
    for (const { name } of items ?? []) {
      try {
        yield* ofProject(name)
      } catch (error) {
        if (!isOfOne(error)) throw error
        yield { items: null, problem: error }
      }
    }
  }
}

/**
 * All pages of a list. One that cannot be had is told as a problem, and those after it follow; so
 * is a list that shrank meanwhile, since its later entries moved to pages that were read already.
 * @throws AppError when there is no first page, or the registry as a whole does not answer
 */
async function* readPages<T>(
  context: ProviderContext,
  path: string,
  schema: z.ZodType<T[] | null>,
  doing: string,
): AsyncIterable<{ items: T[] | null; problem?: AppError }> {
  let total = Number.POSITIVE_INFINITY
  let seen = 0
  let isWhole = true
  let isShrunk = false
  for (let page = 1; page <= MOST_PAGES && (page - 1) * PAGE_SIZE < total; page++) {
    const separator = path.includes('?') ? '&' : '?'
    const call = callOf(context, doing, `${path}${separator}page=${page}&page_size=${PAGE_SIZE}`, {
      // A project whose name is a number is not an id.
      headers: { 'x-is-resource-name': 'true' },
    })
    try {
      const { value, headers } = await callJson(context, call, schema)
      const count = value?.length ?? 0
      const told = Number(headers.get('x-total-count') ?? Number.NaN)
      if (told < total && Number.isFinite(total)) isShrunk = true
      total = Number.isFinite(told) ? told : count < PAGE_SIZE ? seen + count : total
      seen += count
      if (count > 0) yield { items: value }
    } catch (error) {
      if (!isOfOne(error) || !Number.isFinite(total)) throw error
      isWhole = false
      yield { items: null, problem: error }
    }
  }
  if (isShrunk || (isWhole && seen < total)) {
    yield {
      items: null,
      problem: new AppError(
        'remote_error',
        `the answer to ${doing} changed while it was read; the next run goes on`,
        { problem: 'answer', ...because('remote_list_changed', {}) },
      ),
    }
  }
}

/** Others may fare better; unlike when the registry as a whole does not answer. */
function isOfOne(error: unknown): error is AppError {
  if (!isAppError(error, 'remote_error', 'remote_denied', 'not_found')) return false
  // Trying a wrong password again and again locks accounts.
  return error.details.problem !== 'login'
}

function tellsChanges(context: ProviderContext): Promise<boolean> {
  const load = () => readTellsChanges(context)
  return context.remember ? context.remember('harbor tells changes', load) : load()
}

async function readTellsChanges(context: ProviderContext): Promise<boolean> {
  try {
    const { value } = await callJson(
      context,
      callOf(context, 'tell its version', '/systeminfo'),
      Info,
    )
    const version = /^v?(\d+)\.(\d+)\.(\d+)/.exec(value.harbor_version ?? '')
    if (!version) return false
    for (const [index, least] of FIRST_WITH_TIMES.entries()) {
      const part = Number(version[index + 1])
      if (part !== least) return part > least
    }
    return true
  } catch (error) {
    context.signal?.throwIfAborted()
    // Without it nothing is missed: the artifacts of every repository are listed.
    if (isAppError(error, 'not_found', 'remote_denied', 'remote_error')) return false
    throw error
  }
}
