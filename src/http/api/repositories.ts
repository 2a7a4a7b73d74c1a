import { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import { parseRepositoryName, type RepositoryName } from '../../oci/reference.ts'
import { type Repository, repositoryUnknown } from '../../registry/repository-openings.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { id, page, pageOf, text, time, version } from './schemas.ts'

const RepositoryView = z
  .object({
    id,
    project: z.string(),
    name: z.string().openapi({ description: 'Within the project', example: 'web/front' }),
    summary: z.string(),
    description: z.string(),
    logicalBytes: z.int().openapi({ description: 'Of its blobs and manifests' }),
    artifactCount: z.int(),
    tagCount: z.int().openapi({ description: 'Without those of signatures and attestations' }),
    createdAt: time,
    updatedAt: time,
    version,
  })
  .openapi('Repository')

const summary = text(255).optional()
const description = text(65_536).optional().openapi({ description: 'Markdown' })

const IN_PROJECT = '/projects/{project}/repositories'

export const repositoryRoutes = {
  list: route({
    name: 'repository.list',
    method: 'GET',
    path: IN_PROJECT,
    summary: 'List the repositories of a project by name',
    permission: 'project:read',
    on: 'project',
    query: { ...page, nameHas: text(255).optional() },
    output: pageOf(RepositoryView),
  }),
  create: route({
    name: 'repository.create',
    method: 'POST',
    path: IN_PROJECT,
    summary: 'Create an empty repository (a push creates it too)',
    permission: 'repository:push',
    on: 'project',
    body: { name: z.string(), summary, description },
    sample: { name: 'web/front', summary: 'The shop' },
    output: RepositoryView,
    creates: true,
    versioned: true,
  }),
  get: route({
    name: 'repository.get',
    method: 'GET',
    path: `${IN_PROJECT}/{repository}`,
    summary: 'Read a repository',
    permission: 'repository:pull',
    on: 'repository',
    output: RepositoryView,
    versioned: true,
  }),
  update: route({
    name: 'repository.update',
    method: 'PATCH',
    path: `${IN_PROJECT}/{repository}`,
    summary: 'Change the texts of a repository',
    permission: 'repository:update',
    on: 'repository',
    body: { summary, description },
    sample: { summary: 'The shop, as customers see it' },
    output: RepositoryView,
    versioned: true,
  }),
  remove: route({
    name: 'repository.delete',
    method: 'DELETE',
    path: `${IN_PROJECT}/{repository}`,
    summary: 'Delete a repository with everything in it',
    permission: 'repository:delete',
    on: 'repository',
    versioned: true,
  }),
}

export function repositoryEndpoints({ db, registry }: ApiDeps): Endpoint[] {
  const { repositories } = registry

  async function read(project: { id: number; name: string }, name: RepositoryName) {
    const repository = await repositories.read(project.id, name.path)
    if (!repository) throw repositoryUnknown(name)
    return {
      body: viewOf(repository, project.name),
      version: repository.version,
      location: `/projects/${project.name}/repositories/${encodeURIComponent(name.path)}`,
    }
  }

  return [
    endpoint(repositoryRoutes.list, async ({ project, query: { limit, after, nameHas } }) => {
      const found = await readPage(
        limit,
        (count) => repositories.list(project.id, { limit: count, ...given({ after, nameHas }) }),
        (repository) => repository.name,
      )
      return listReply({ ...found, items: found.items.map((row) => viewOf(row, project.name)) })
    }),

    endpoint(repositoryRoutes.create, async ({ project, body, principal, audit }) => {
      const name = demandName(project.name, body.name)
      await db.transaction(async (tx) => {
        const { summary, description } = body
        await repositories.create(tx, name, given({ summary, description }), principal.account)
        await audit(tx, { resource: name.full })
      })
      return read(project, name)
    }),

    endpoint(repositoryRoutes.get, ({ project, name }) => read(project, name)),

    endpoint(repositoryRoutes.update, async ({ project, name, body, version, audit }) => {
      const { summary, description } = body
      await db.transaction(async (tx) => {
        await repositories.update(tx, name, given({ summary, description }), version)
        await audit(tx, { resource: name.full })
      })
      return read(project, name)
    }),

    endpoint(repositoryRoutes.remove, async ({ name, version, principal, audit }) => {
      await db.transaction(async (tx) => {
        await audit(tx, { resource: name.full })
        // Last: it may lock the project's sum.
        await repositories.remove(tx, name, principal.account, 'delete', version)
      })
      return NOTHING
    }),
  ]
}

function demandName(project: string, path: string): RepositoryName {
  const name = parseRepositoryName(`${project}/${path}`)
  if (name) return name
  throw new AppError(
    'name_invalid',
    `"${path.slice(0, 100)}" is not a repository name: use lower-case letters and digits with single ".", "_" or "-" between them, parts joined by "/", with the project at most 255 characters`,
    { field: 'name' },
  )
}

function viewOf(repository: Repository, project: string) {
  return {
    id: repository.id,
    project,
    name: repository.name,
    summary: repository.summary,
    description: repository.description,
    logicalBytes: repository.logical_bytes,
    artifactCount: repository.manifest_count,
    tagCount: repository.tag_count,
    createdAt: repository.created_at,
    updatedAt: repository.updated_at,
    version: repository.version,
  }
}
