import { z } from '@hono/zod-openapi'
import { isProjectName } from '../../oci/reference.ts'
import { createInstallation } from '../../registry/installation.ts'
import { createProjectList } from '../../registry/project-list.ts'
import { NO_QUOTA } from '../../registry/project-rules.ts'
import type { CcrParts } from './ccr.ts'
import { pageOrAll } from './paging.ts'
import { DONE, type Endpoint, endpoint, route } from './route.ts'
import { INSTANCE, id, instanceId, listTime, nameHas, noPaging, paging } from './schemas.ts'
import { viewerOf } from './viewer.ts'

const MIB = 1024 * 1024

const NAME_RULE =
  'be 1 to 255 lower-case letters and digits, with single ".", "_" or "-" between them'
const PUBLIC_RULE = 'be true or false'
const QUOTA_RULE = 'be -1 (no limit) or a whole number of bytes from 1 to 9007199254740991'

const ProjectItem = z
  .object({
    createdAt: listTime,
    id,
    instanceId,
    isPublic: z.boolean(),
    projectId: id.openapi({ description: 'The same as `id`' }),
    projectName: z.string().openapi({ example: 'library' }),
    quota: z.int().openapi({ description: 'Bytes; -1: no limit', example: -1 }),
    storageUsed: z.int().openapi({ description: 'MiB, rounded up', example: 5 }),
    syncFields: z.literal(''),
    syncStatus: z.literal(0),
    syncType: z.literal(0),
    tenantId: z
      .string()
      .openapi({ description: 'The installation', example: '1744911969862835907' }),
    updatedAt: listTime,
  })
  .openapi('CcrProject')

export const projectRoutes = {
  list: route({
    name: 'project.list',
    method: 'GET',
    path: '/projects',
    summary: { en: 'List projects by name', zh: '查看镜像仓库项目列表' },
    permission: 'catalog:read',
    on: 'system',
    query: { ...paging, nameHas, noPaging },
    output: { page: z.int(), pageSize: z.int(), projects: z.array(ProjectItem), total: z.int() },
  }),
  create: route({
    name: 'project.create',
    method: 'POST',
    path: '/projects',
    summary: { en: 'Create a project', zh: '创建镜像仓库项目' },
    permission: 'project:create',
    on: 'system',
    body: {
      name: z
        .string({ error: NAME_RULE })
        .refine(isProjectName, { error: NAME_RULE })
        .openapi({ example: 'test02' }),
      isPublic: z.boolean({ error: PUBLIC_RULE }).optional(),
      quota: z
        .int({ error: QUOTA_RULE })
        .refine((bytes) => bytes === NO_QUOTA || bytes >= 1, { error: QUOTA_RULE })
        .optional()
        .openapi({ description: 'Bytes; -1 or not sent: no limit', example: -1 }),
    },
    sample: { isPublic: false, name: 'test04', quota: 102400 },
    output: { projectId: id },
  }),
  remove: route({
    name: 'project.delete',
    method: 'DELETE',
    path: '/projects/{project}',
    summary: { en: 'Delete a project that has no repositories', zh: '删除镜像仓库项目' },
    permission: 'project:delete',
    on: 'project',
  }),
}

export function projectEndpoints({ db, accounts, registry, times }: CcrParts): Endpoint[] {
  const { projects } = registry
  const list = createProjectList({ db })
  const installation = createInstallation({ db })

  return [
    endpoint(projectRoutes.list, async ({ query, principal }) => {
      const { range, page, pageSize, warning } = pageOrAll(query)
      const tenantId = await installation.id()
      const { total, items } = await list.page({
        ...range,
        nameHas: query.nameHas,
        viewer: viewerOf(principal),
      })
      const shown = items.map((project) => ({
        createdAt: times.list(project.createdAt),
        id: project.id,
        instanceId: INSTANCE,
        isPublic: project.isPublic,
        projectId: project.id,
        projectName: project.name,
        quota: project.quota,
        storageUsed: Math.ceil(project.uniqueBytes / MIB),
        syncFields: '' as const,
        syncStatus: 0 as const,
        syncType: 0 as const,
        tenantId,
        updatedAt: times.list(project.updatedAt),
      }))
      return { fields: { page, pageSize, projects: shown, total }, warning }
    }),

    endpoint(projectRoutes.create, async ({ body, principal, audit }) => {
      const quota = body.quota ?? NO_QUOTA
      if (quota !== NO_QUOTA) {
        await accounts.authorizer.demand(principal, 'project:quota', { kind: 'system' })
      }
      const projectId = await db.transaction(async (tx) => {
        const created = await projects.create(tx, {
          name: body.name,
          isPublic: body.isPublic ?? false,
          quota,
          createdBy: principal.account,
          byAdministrator: principal.isAdmin,
        })
        await audit(tx, {
          project: created.id,
          resource: created.name,
          details: { isPublic: created.is_public === 1, quota: created.quota },
        })
        return created.id
      })
      return { fields: { projectId } }
    }),

    endpoint(projectRoutes.remove, async ({ project, principal, audit }) => {
      await db.transaction(async (tx) => {
        await projects.remove(tx, project.id, principal.account, 'delete')
        await audit(tx, { resource: project.name })
      })
      return DONE
    }),
  ]
}
