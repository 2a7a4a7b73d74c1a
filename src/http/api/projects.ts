import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import type { Project } from '../../registry/projects.ts'
import { usageOf, usagesOf } from '../../registry/usage.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { id, page, pageOf, role, text, time, version } from './schemas.ts'

const usage = z.object({
  logicalBytes: z.int().openapi({ description: 'Each blob once per repository' }),
  uniqueBytes: z.int().openapi({ description: 'Each blob once; this is what the quota limits' }),
})

const ProjectFields = z.object({
  id,
  name: z.string().openapi({ example: 'payments' }),
  public: z.boolean().openapi({ description: 'Everybody may pull' }),
  quota: z.int().openapi({ description: 'Bytes; -1: no limit' }),
  description: z.string(),
  alias: z
    .string()
    .nullable()
    .openapi({ description: 'Another id, which scripts for Huawei Cloud carry' }),
  createdAt: time,
  updatedAt: time,
  version,
})

const ListedProject = ProjectFields.extend({
  usage,
  repositoryCount: z.int(),
}).openapi('ListedProject')

const ProjectView = ProjectFields.extend({
  usage,
  role: role.nullable().openapi({ description: 'Of the caller; null: none' }),
}).openapi('Project')

const isPublic = z.boolean().optional()
const quota = z
  .int()
  .optional()
  .openapi({ description: 'Bytes, at least 1, or -1: no limit; set by system administrators' })
const description = text(4_096).optional()
const alias = text(256).min(1).nullable().optional()

export const projectRoutes = {
  list: route({
    name: 'project.list',
    method: 'GET',
    path: '/projects',
    summary: 'List projects by name',
    permission: 'open',
    on: 'system',
    query: { ...page, nameHas: text(255).optional() },
    output: pageOf(ListedProject),
  }),
  create: route({
    name: 'project.create',
    method: 'POST',
    path: '/projects',
    summary: 'Create a project',
    permission: 'project:create',
    on: 'system',
    body: { name: z.string(), public: isPublic, quota, description },
    sample: { name: 'payments', public: false, description: 'Everything about money' },
    output: ProjectView,
    creates: true,
    versioned: true,
  }),
  get: route({
    name: 'project.get',
    method: 'GET',
    path: '/projects/{project}',
    summary: 'Read a project, what it uses and your role in it',
    permission: 'project:read',
    on: 'project',
    output: ProjectView,
    versioned: true,
  }),
  update: route({
    name: 'project.update',
    method: 'PATCH',
    path: '/projects/{project}',
    summary: 'Change a project',
    permission: 'project:update',
    on: 'project',
    body: { public: isPublic, quota, description, alias },
    sample: { description: 'Payments and invoices' },
    output: ProjectView,
    versioned: true,
  }),
  remove: route({
    name: 'project.delete',
    method: 'DELETE',
    path: '/projects/{project}',
    summary: 'Delete a project that has no repositories',
    permission: 'project:delete',
    on: 'project',
    versioned: true,
  }),
}

export function projectEndpoints({ db, accounts, registry, settings }: ApiDeps): Endpoint[] {
  const { authorizer } = accounts
  const { projects } = registry

  const demandQuota = (principal: Principal) =>
    authorizer.demand(principal, 'project:quota', { kind: 'system' })

  async function detailed(project: Project, principal: Principal) {
    const usage = await usageOf(db.query, project.id)
    const role = await authorizer.roleIn(principal, project.id)
    return {
      body: { ...viewOf(project), usage, role: role ?? null },
      version: project.version,
      location: `/projects/${project.name}`,
    }
  }

  return [
    endpoint(projectRoutes.list, async ({ query: { limit, after, nameHas }, principal }) => {
      const found = await readPage(
        limit,
        (count) =>
          projects.list({
            limit: count,
            ...given({ after, nameHas }),
            ...(principal.isAdmin ? {} : { visibleTo: principal.account }),
          }),
        (project) => project.name,
      )
      const usages = await usagesOf(
        db.query,
        found.items.map(({ id }) => id),
      )
      const items = found.items.map((project) => {
        const { repositories = 0, logicalBytes = 0, uniqueBytes = 0 } = usages.get(project.id) ?? {}
        return {
          ...viewOf(project),
          usage: { logicalBytes, uniqueBytes },
          repositoryCount: repositories,
        }
      })
      return listReply({ ...found, items })
    }),

    endpoint(projectRoutes.create, async ({ body, principal, audit }) => {
      if (body.quota !== undefined) await demandQuota(principal)
      const project = await db.transaction(async (tx) => {
        const created = await projects.create(tx, {
          name: body.name,
          isPublic: body.public ?? settings.publicByDefault,
          ...given({ quota: body.quota, description: body.description }),
          createdBy: principal.account,
          byAdministrator: principal.isAdmin,
        })
        await audit(tx, {
          project: created.id,
          resource: created.name,
          details: { isPublic: created.is_public === 1, quota: created.quota },
        })
        return created
      })
      return detailed(project, principal)
    }),

    endpoint(projectRoutes.get, ({ project, principal }) => detailed(project, principal)),

    endpoint(projectRoutes.update, async ({ project, body, version, principal, audit }) => {
      if (body.quota !== undefined) await demandQuota(principal)
      const { public: isPublic, quota, description, alias } = body
      const updated = await db.transaction(async (tx) => {
        const changed = await projects.update(
          tx,
          project.id,
          given({ isPublic, quota, description, alias }),
          version,
        )
        const previousQuota = quota === undefined ? undefined : project.quota
        await audit(tx, {
          resource: changed.name,
          details: { isPublic, quota, previousQuota, alias },
        })
        return changed
      })
      return detailed(updated, principal)
    }),

    endpoint(projectRoutes.remove, async ({ project, version, principal, audit }) => {
      await db.transaction(async (tx) => {
        await projects.remove(tx, project.id, principal.account, 'delete', version)
        await audit(tx, { resource: project.name })
      })
      return NOTHING
    }),
  ]
}

function viewOf(project: Project) {
  return {
    id: project.id,
    name: project.name,
    public: project.is_public === 1,
    quota: project.quota,
    description: project.description,
    alias: project.alias,
    createdAt: project.created_at,
    updatedAt: project.updated_at,
    version: project.version,
  }
}
