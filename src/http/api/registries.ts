import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { registryDetails } from '../../hub/registries/audit-details.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { registryUnknown } from '../../hub/registries/uses.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { because } from '../../lib/reasons.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { afterInvalid, listReply, readPage } from './pages.ts'
import {
  changeable,
  creatable,
  provider,
  RegistryView,
  UseView,
  viewOf,
} from './registry-schemas.ts'
import { type Endpoint, endpoint, NOTHING, type Reply, route } from './route.ts'
import { idInPath, page, pageOf, text } from './schemas.ts'

const params = { registry: z.string().openapi({ example: '69a42bc05f8d3e6b9c0a1d27' }) }
const forAll = { permission: 'registry:read', on: 'system' } as const
const forAdmins = { permission: 'registry:manage', on: 'system' } as const

export const registryRoutes = {
  list: route({
    name: 'registry.list',
    method: 'GET',
    path: '/registries',
    summary: 'List the external registries that your projects may use, oldest first',
    ...forAll,
    query: {
      ...page,
      nameHas: text(128).optional(),
      provider: provider.optional(),
      project: text(255).optional().openapi({ description: 'Those that this project may use' }),
    },
    output: pageOf(RegistryView),
  }),
  create: route({
    name: 'registry.create',
    method: 'POST',
    path: '/registries',
    summary: 'Integrate an external registry; the first one becomes the default',
    ...forAdmins,
    body: creatable,
    sample: {
      name: 'harbor',
      provider: 'harbor',
      address: 'https://harbor.example.com',
      namespace: 'payments',
      accessKey: 'robot$payments+ci',
      secretKey: 'what-harbor-showed-once',
      projects: null,
    },
    output: RegistryView,
    creates: true,
    versioned: true,
  }),
  get: route({
    name: 'registry.get',
    method: 'GET',
    path: '/registries/{registry}',
    summary: 'Read an external registry',
    ...forAll,
    params,
    output: RegistryView,
    versioned: true,
  }),
  update: route({
    name: 'registry.update',
    method: 'PATCH',
    path: '/registries/{registry}',
    summary: 'Change an external registry; another address, provider or TLS takes the secret again',
    ...forAdmins,
    params,
    body: changeable,
    sample: { accessKey: 'robot$payments+ci', secretKey: 'the-new-one' },
    output: RegistryView,
    versioned: true,
  }),
  remove: route({
    name: 'registry.delete',
    method: 'DELETE',
    path: '/registries/{registry}',
    summary: 'Delete an external registry that nothing uses; the default names its successor',
    ...forAdmins,
    params,
    query: {
      successor: text(64)
        .optional()
        .openapi({ description: 'Id of what becomes the default when this one was' }),
    },
    versioned: true,
  }),
  promote: route({
    name: 'registry.promote',
    method: 'POST',
    path: '/registries/{registry}/default',
    summary: 'Make an external registry the default, in place of the present one',
    ...forAdmins,
    params,
    output: RegistryView,
  }),
  uses: route({
    name: 'registry-use.list',
    method: 'GET',
    path: '/registries/{registry}/uses',
    summary: 'List who uses an external registry, and who must fetch its keys again',
    ...forAdmins,
    params,
    output: z.object({ items: z.array(UseView) }),
  }),
  forgetUse: route({
    name: 'registry-use.delete',
    method: 'DELETE',
    path: '/registries/{registry}/uses/{use}',
    summary: 'Forget a consumer that is gone, so that the registry can be deleted',
    ...forAdmins,
    params: { ...params, use: idInPath },
  }),
}

export function registryEndpoints({ registries, registry: local }: ApiDeps): Endpoint[] {
  const seenBy = ({ isAdmin, account }: Principal) => (isAdmin ? undefined : account)

  function reply(
    registry: RegistryRecord,
    principal: Principal,
  ): Reply<z.input<typeof RegistryView>> {
    return {
      body: viewOf(registry, principal),
      version: registry.version,
      location: `/registries/${registry.id}`,
    }
  }

  /** Ids of the projects named in a body. @throws AppError invalid_input */
  async function projectsOf(names: readonly string[] | null | undefined) {
    if (names === undefined) return undefined
    if (names === null) return 'all'
    const ids: number[] = []
    for (const name of names) {
      const project = await local.projects.get(name)
      if (!project) throw noProject(name, 'projects')
      ids.push(project.id)
    }
    return ids
  }

  return [
    endpoint(registryRoutes.list, async ({ query, principal }) => {
      const { limit, after, nameHas, provider: wanted, project: named } = query
      const project = named === undefined ? undefined : await local.projects.get(named)
      if (named !== undefined && !project) return { body: { items: [], next: null } }
      const found = await readPage(
        limit,
        (count) =>
          registries.list({
            limit: count,
            after: seqAfter(after),
            nameHas,
            providers: wanted && [wanted],
            project: project?.id,
            visibleTo: seenBy(principal),
          }),
        ({ seq }) => String(seq),
      )
      return listReply({ ...found, items: found.items.map((item) => viewOf(item, principal)) })
    }),

    endpoint(registryRoutes.create, async ({ body, principal, audit }) => {
      const { secretKey, projects, runner, ...settings } = body
      const created = registries.create(
        {
          ...given(settings),
          connectClusterId: runner,
          provider: settings.provider,
          address: settings.address,
          secret: secretKey,
          projects: await projectsOf(projects),
          origin: 'api',
          createdBy: principal.account,
        },
        { mayUsePrivate: principal.isAdmin },
        (tx, made) => audit(tx, { resource: made.name, details: registryDetails(made) }),
      )
      return reply(await created.catch(renamed), principal)
    }),

    endpoint(registryRoutes.get, async ({ params: { registry: id }, principal }) => {
      const registry = await registries.get(id, seenBy(principal))
      if (!registry) throw registryUnknown(id)
      return reply(registry, principal)
    }),

    endpoint(registryRoutes.update, async ({ params, body, version, principal, audit }) => {
      const { secretKey, projects, runner, ...settings } = body
      const change = { ...given(settings), secret: secretKey, connectClusterId: runner }
      const updated = registries.update(
        params.registry,
        { ...change, projects: await projectsOf(projects) },
        { mayUsePrivate: principal.isAdmin, version },
        (tx, { registry: made, previous }) =>
          audit(tx, { resource: made.name, details: registryDetails(made, previous) }),
      )
      return reply(await updated.catch(renamed), principal)
    }),

    endpoint(registryRoutes.remove, async ({ params, query: { successor }, version, audit }) => {
      await registries.remove(params.registry, { version, successor }, (tx, { name, isDefault }) =>
        audit(tx, { resource: name, details: { isDefault } }),
      )
      return NOTHING
    }),

    endpoint(registryRoutes.promote, async ({ params, principal, audit }) => {
      const registry = await registries.promote(params.registry, (tx, { registry: made }) =>
        audit(tx, { resource: made.name, details: { isDefault: true } }),
      )
      return reply(registry, principal)
    }),

    endpoint(registryRoutes.uses, async ({ params }) => ({
      body: { items: await registries.uses(params.registry) },
    })),

    endpoint(registryRoutes.forgetUse, async ({ params, audit }) => {
      await registries.forgetUse(params.registry, params.use, (tx, { what }) =>
        audit(tx, { resource: params.registry, details: { name: what } }),
      )
      return NOTHING
    }),
  ]
}

/** What the records call `connectClusterId`, as HSS does, is `runner` here. */
function renamed(error: unknown): never {
  if (!isAppError(error) || error.details.field !== 'connectClusterId') throw error
  throw new AppError(error.code, error.message, { ...error.details, field: 'runner' }, error)
}

function seqAfter(after: string | undefined): number | undefined {
  if (after === undefined) return undefined
  if (!/^\d{1,15}$/.test(after)) throw afterInvalid()
  return Number(after)
}

function noProject(name: string, field: string): AppError {
  const shown = JSON.stringify(name.slice(0, 255))
  return new AppError('invalid_input', `there is no project ${shown}`, {
    field,
    ...because('project_unknown', { name: name.slice(0, 255) }),
  })
}
