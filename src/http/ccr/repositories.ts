import { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import type { OffsetResult } from '../../registry/offset-list.ts'
import { createRepositoryList, type ListedRepository } from '../../registry/repository-list.ts'
import { repositoryUnknown } from '../../registry/repository-openings.ts'
import type { CcrParts } from './ccr.ts'
import { type PageAsked, pageOf } from './paging.ts'
import { DONE, type Endpoint, endpoint, route } from './route.ts'
import { INSTANCE, instanceId, listTime, nameHas, paging, text } from './schemas.ts'
import { viewerOf } from './viewer.ts'

const NAME_RULE =
  'be 2 to 64 lower-case letters and digits, with single ".", "_", "-" or "/" between them'
/** Stricter than what may be pushed: it binds creation only. */
const NAME = /^(?=.{2,64}$)[a-z0-9]+(?:[._/-][a-z0-9]+)*$/

const fields = {
  detail: z.string().openapi({ example: '' }),
  imageTagCount: z.int().openapi({ description: 'Tags', example: 1 }),
  instanceId,
  projectName: z.string().openapi({ example: 'test01' }),
  public: z.boolean(),
  repositoryName: z.string().openapi({ description: 'Within the project', example: 'test' }),
}

const RepositoryItem = z.object({ createdAt: listTime, ...fields }).openapi('CcrRepository')
const RepositoryDetail = z
  .object({
    createdAt: z.string().openapi({ example: '2023-09-19 14:19:46.727 +0800 CST' }),
    ...fields,
    summary: z.string(),
  })
  .openapi('CcrRepositoryDetail')

const IN_PROJECT = '/projects/{project}/repositories'
const list = { data: z.array(RepositoryItem), totalCount: z.int() }

export const repositoryRoutes = {
  listAll: route({
    name: 'repository.list-all',
    method: 'GET',
    path: '/repositories',
    summary: {
      en: 'List the repositories of all projects that you may see',
      zh: '查看镜像仓库列表',
    },
    permission: 'catalog:read',
    on: 'system',
    query: { ...paging, nameHas },
    output: list,
  }),
  list: route({
    name: 'repository.list',
    method: 'GET',
    path: IN_PROJECT,
    summary: { en: 'List the repositories of a project by name', zh: '查看镜像仓库列表' },
    permission: 'project:read',
    on: 'project',
    query: { ...paging, nameHas },
    output: list,
  }),
  create: route({
    name: 'repository.create',
    method: 'POST',
    path: IN_PROJECT,
    summary: { en: 'Create a repository before its first push', zh: '创建镜像仓库' },
    permission: 'repository:push',
    on: 'project',
    body: {
      repositoryName: z
        .string({ error: NAME_RULE })
        .regex(NAME, { error: NAME_RULE })
        .openapi({ example: 'test01' }),
      summary: text(100).optional(),
      detail: text(256).optional(),
    },
    sample: { repositoryName: 'test01' },
  }),
  get: route({
    name: 'repository.get',
    method: 'GET',
    path: `${IN_PROJECT}/{repository}`,
    summary: { en: 'Read a repository', zh: '查看镜像仓库详情' },
    permission: 'repository:pull',
    on: 'repository',
    output: { data: RepositoryDetail },
  }),
  remove: route({
    name: 'repository.delete',
    method: 'DELETE',
    path: `${IN_PROJECT}/{repository}`,
    summary: { en: 'Delete a repository with its tags and artifacts', zh: '删除镜像仓库' },
    permission: 'repository:delete',
    on: 'repository',
  }),
}

export function repositoryEndpoints({ db, registry, times }: CcrParts): Endpoint[] {
  const { repositories } = registry
  const lists = createRepositoryList({ db })

  function common(repository: ListedRepository) {
    return {
      detail: repository.description,
      imageTagCount: repository.tagCount,
      instanceId: INSTANCE,
      projectName: repository.project,
      public: repository.isPublic,
      repositoryName: repository.name,
    } as const
  }

  function reply({ total, items }: OffsetResult<ListedRepository>, { warning }: PageAsked) {
    const data = items.map((repository) => ({
      createdAt: times.list(repository.createdAt),
      ...common(repository),
    }))
    return { fields: { data, totalCount: total }, warning }
  }

  return [
    endpoint(repositoryRoutes.listAll, async ({ query, principal }) => {
      const asked = pageOf(query)
      const of = { viewer: viewerOf(principal) }
      return reply(await lists.page({ ...asked.range, nameHas: query.nameHas, of }), asked)
    }),

    endpoint(repositoryRoutes.list, async ({ query, project }) => {
      const asked = pageOf(query)
      const of = { project: project.id }
      return reply(await lists.page({ ...asked.range, nameHas: query.nameHas, of }), asked)
    }),

    endpoint(repositoryRoutes.create, async ({ project, body, principal, audit }) => {
      const { repositoryName, summary = '', detail = '' } = body
      const name = parseRepositoryName(`${project.name}/${repositoryName}`)
      if (!name) {
        throw new AppError(
          'name_invalid',
          `repositoryName is "${repositoryName}": with the project's name it must have at most 255 characters`,
          { field: 'repositoryName' },
        )
      }
      await db.transaction(async (tx) => {
        const texts = { summary, description: detail }
        await repositories.create(tx, name, texts, principal.account)
        await audit(tx, { resource: name.full })
      })
      return DONE
    }),

    endpoint(repositoryRoutes.get, async ({ project, name }) => {
      const repository = await lists.get(project.id, name.path)
      if (!repository) throw repositoryUnknown(name)
      const createdAt = times.detail(repository.createdAt)
      const data = { createdAt, ...common(repository), summary: repository.summary }
      return { fields: { data } }
    }),

    endpoint(repositoryRoutes.remove, async ({ name, principal, audit }) => {
      await db.transaction(async (tx) => {
        await audit(tx, { resource: name.full })
        // Last: it may lock the project's sum.
        await repositories.remove(tx, name, principal.account, 'delete')
      })
      return DONE
    }),
  ]
}
