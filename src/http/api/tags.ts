import { z } from '@hono/zod-openapi'
import { isTag, type RepositoryName } from '../../oci/reference.ts'
import { repositoryUnknown } from '../../registry/repositories.ts'
import { tagUnknown } from '../../registry/tags.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { idAfter, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { digest, id, page, pageOf, time } from './schemas.ts'

const Tag = z
  .object({
    id,
    name: z.string().openapi({ example: '1.2' }),
    digest,
    mediaType: z.string(),
    immutable: z.boolean(),
    createdAt: time,
    updatedAt: time,
  })
  .openapi('Tag')

const TagMove = z
  .object({
    id,
    oldDigest: digest.nullable().openapi({ description: 'null: the tag was new' }),
    newDigest: digest.nullable().openapi({ description: 'null: the tag was deleted' }),
    actor: z.string().nullable(),
    at: time,
    reason: z.string(),
  })
  .openapi('TagMove')

const params = { tag: z.string().refine(isTag, 'is not a tag').openapi({ example: '1.2' }) }

const IN_REPOSITORY = '/projects/{project}/repositories/{repository}/tags'

export const tagRoutes = {
  list: route({
    name: 'tag.list',
    method: 'GET',
    path: IN_REPOSITORY,
    summary: 'List the tags of a repository by name',
    permission: 'repository:pull',
    on: 'repository',
    query: page,
    output: pageOf(Tag),
  }),
  get: route({
    name: 'tag.get',
    method: 'GET',
    path: `${IN_REPOSITORY}/{tag}`,
    summary: 'Read a tag',
    permission: 'repository:pull',
    on: 'repository',
    params,
    output: Tag,
  }),
  update: route({
    name: 'tag.update',
    method: 'PATCH',
    path: `${IN_REPOSITORY}/{tag}`,
    summary: 'Protect a tag from being moved or deleted, or lift that',
    permission: 'tag:protect',
    on: 'repository',
    params,
    body: { immutable: z.boolean() },
    sample: { immutable: true },
    output: Tag,
  }),
  remove: route({
    name: 'tag.delete',
    method: 'DELETE',
    path: `${IN_REPOSITORY}/{tag}`,
    summary: 'Delete a tag; its manifest stays',
    permission: 'repository:delete',
    on: 'repository',
    params,
  }),
  history: route({
    name: 'tag.history',
    method: 'GET',
    path: `${IN_REPOSITORY}/{tag}/history`,
    summary: 'List what a tag pointed at, newest first, also after its deletion',
    permission: 'repository:pull',
    on: 'repository',
    params,
    query: page,
    output: pageOf(TagMove),
  }),
}

export function tagEndpoints({ registry }: ApiDeps): Endpoint[] {
  const { repositories, tags } = registry

  async function idOf(name: RepositoryName): Promise<number> {
    const repository = await repositories.find(name)
    if (!repository) throw repositoryUnknown(name)
    return repository.id
  }

  return [
    endpoint(tagRoutes.list, async ({ name, query: { limit, after } }) => {
      const repository = await idOf(name)
      return listReply(
        await readPage(
          limit,
          (count) => tags.list(repository, { limit: count, ...given({ after }) }),
          (tag) => tag.name,
        ),
      )
    }),

    endpoint(tagRoutes.get, async ({ name, params }) => {
      const tag = await tags.find(await idOf(name), params.tag)
      if (!tag) throw tagUnknown(name, params.tag)
      return { body: tag }
    }),

    endpoint(tagRoutes.update, async ({ name, params, body: { immutable }, audit }) => ({
      body: await tags.protect(name, params.tag, immutable, (tx) =>
        audit(tx, { resource: `${name.full}:${params.tag}`, details: { immutable } }),
      ),
    })),

    endpoint(tagRoutes.remove, async ({ name, params, principal, audit }) => {
      await tags.remove(name, params.tag, principal.account, (tx, { digest }) =>
        audit(tx, { resource: `${name.full}:${params.tag}`, details: { digest } }),
      )
      return NOTHING
    }),

    endpoint(tagRoutes.history, async ({ name, params, query: { limit, after } }) => {
      const from = idAfter(after)
      const repository = await idOf(name)
      return listReply(
        await readPage(
          limit,
          (count) => tags.history(repository, params.tag, { limit: count, ...from }),
          (move) => String(move.id),
        ),
      )
    }),
  ]
}
