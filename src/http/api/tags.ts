import { z } from '@hono/zod-openapi'
import { isTag, type RepositoryName } from '../../oci/reference.ts'
import { repositoryUnknown } from '../../registry/repository-openings.ts'
import { type TagPosition, tagUnknown } from '../../registry/tags.ts'
import type { ApiDeps } from './api.ts'
import { ArtifactSummary } from './artifact-schemas.ts'
import { given } from './input.ts'
import { afterInvalid, idAfter, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { digest, flag, id, page, pageOf, text, time } from './schemas.ts'

const Tag = z
  .object({
    id,
    name: z.string().openapi({ example: '1.2' }),
    digest,
    mediaType: z.string(),
    immutable: z.boolean(),
    createdAt: time,
    updatedAt: time,
    pushedBy: z.string().nullable().openapi({ description: 'Who set it last' }),
    pulledAt: time.nullable(),
  })
  .openapi('Tag')

const ListedTag = Tag.extend({
  artifact: ArtifactSummary.openapi({ description: 'What it points at' }),
}).openapi('ListedTag')

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
    summary: 'List the tags of a repository, with what they point at',
    permission: 'repository:pull',
    on: 'repository',
    query: {
      ...page,
      nameHas: text(128).optional(),
      sort: z
        .enum(['name', 'newest'])
        .optional()
        .openapi({ description: '`name` unless set; `newest`: those that were set last first' }),
      accessories: flag.optional().openapi({
        description: 'false: without tags of tools that attach something, such as `sha256-….sig`',
      }),
    },
    output: pageOf(ListedTag),
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
  const { artifacts, repositories, tags } = registry

  async function idOf(name: RepositoryName): Promise<number> {
    const repository = await repositories.find(name)
    if (!repository) throw repositoryUnknown(name)
    return repository.id
  }

  return [
    endpoint(tagRoutes.list, async ({ name, query }) => {
      const { limit, after, sort, accessories } = query
      const repository = await idOf(name)
      const filter = {
        ...given({ nameHas: query.nameHas }),
        withoutAccessories: accessories === false,
      }
      const found =
        sort === 'newest'
          ? await readPage(
              limit,
              (count) => tags.newest(repository, { ...filter, limit: count, ...positionOf(after) }),
              (tag) => `${tag.updatedAt}-${tag.id}`,
            )
          : await readPage(
              limit,
              (count) => tags.list(repository, { ...filter, limit: count, ...given({ after }) }),
              (tag) => tag.name,
            )
      const ids = found.items.map(({ manifest }) => manifest)
      const summaries = await artifacts.summaries(repository, ids)
      const items = found.items.flatMap((tag) => {
        // A tag whose manifest went between the two statements is gone too.
        const artifact = summaries.get(tag.manifest)
        return artifact ? [{ ...tag, artifact }] : []
      })
      return listReply({ ...found, items })
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

/** `after` of the list of the newest. @throws AppError invalid_input */
function positionOf(after: string | undefined): { after?: TagPosition } {
  if (after === undefined) return {}
  const [, updatedAt, id] = /^(\d{1,15})-(\d{1,15})$/.exec(after) ?? []
  if (updatedAt === undefined || id === undefined) throw afterInvalid()
  return { after: { updatedAt: Number(updatedAt), id: Number(id) } }
}
