import { z } from 'zod'
import { parseDigest } from '../../oci/digest.ts'
import { isTag } from '../../oci/reference.ts'
import type { Inventory, ListedTag } from '../inventory.ts'
import type { ProviderContext } from '../provider.ts'
import { callJson } from './api-call.ts'
import { isWithin, namespaceOf } from './endpoint.ts'
import { callOf, PAGE_SIZE } from './harbor-api.ts'

const Projects = z.array(z.object({ project_id: z.number(), name: z.string() })).nullable()
const Repositories = z.array(z.object({ name: z.string() })).nullable()
const Tags = z
  .array(
    z.object({
      name: z.string(),
      digest: z.string().nullish(),
      push_time: z.string().nullish(),
    }),
  )
  .nullable()

/**
 * Harbor 1: all tags of a repository with their digests in one answer. It does not tell the media
 * type and the sizes of layers, so manifests are read by `/v2`; times of repositories do not move
 * with pushes (goharbor/harbor#8140), so every repository is asked.
 */
export function harborV1Inventory(of: ProviderContext): Inventory {
  return {
    async *repositories({ namespace: asked, signal }) {
      const context = { ...of, signal }
      const namespace = namespaceOf(context.endpoint, asked)
      const project = namespace?.split('/')[0]
      for await (const projects of pagesOf(context, '/projects', Projects)) {
        for (const { project_id: id, name } of projects) {
          if (project !== undefined && name !== project) continue
          for await (const page of pagesOf(
            context,
            `/repositories?project_id=${id}`,
            Repositories,
          )) {
            const names = page.map((repository) => repository.name)
            const within = names.filter((each) => isWithin(each, namespace))
            yield { items: within.map((each) => ({ name: each })) }
          }
        }
      }
    },

    async *tags(repository, { signal }) {
      const context = { ...of, signal }
      const name = repository.split('/').map(encodeURIComponent).join('/')
      const call = callOf(
        context,
        `list the tags of ${repository}`,
        `/repositories/${name}/tags?detail=true`,
        { base: '/api' },
      )
      const { value } = await callJson(context, call, Tags)
      const items = (value ?? []).flatMap((tag): ListedTag[] => {
        const digest = parseDigest(tag.digest ?? '')
        const pushedAt = Date.parse(tag.push_time ?? '')
        if (!isTag(tag.name)) return []
        return [{ tag: tag.name, digest, ...(pushedAt > 0 ? { pushedAt } : {}) }]
      })
      yield { items }
    },
  }
}

async function* pagesOf<T>(
  context: ProviderContext,
  path: string,
  schema: z.ZodType<T[] | null>,
): AsyncIterable<T[]> {
  for (let page = 1; ; page++) {
    const separator = path.includes('?') ? '&' : '?'
    const query = `${separator}page=${page}&page_size=${PAGE_SIZE}`
    const call = callOf(context, 'list its repositories', `${path}${query}`, { base: '/api' })
    const { value } = await callJson(context, call, schema)
    if (value && value.length > 0) yield value
    if ((value?.length ?? 0) < PAGE_SIZE) return
  }
}
