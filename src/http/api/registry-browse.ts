import { z } from '@hono/zod-openapi'
import type { Principal } from '../../accounts/principal.ts'
import { CHECK_STEPS, type ConnectionReport } from '../../hub/health/report.ts'
import type { RegistryRecord } from '../../hub/registries/record.ts'
import { registryUnknown } from '../../hub/registries/uses.ts'
import { AppError } from '../../lib/errors.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { changeable, creatable } from './registry-schemas.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { digest, page, says, text, time } from './schemas.ts'

/* Trying a registry of others, and looking around in it. */

const params = { registry: z.string().openapi({ example: '69a42bc05f8d3e6b9c0a1d27' }) }
const forAll = { permission: 'registry:read', on: 'system' } as const
const forAdmins = { permission: 'registry:manage', on: 'system' } as const

const ReportView = z
  .object({
    at: time,
    ok: z.boolean(),
    reason: z.string().openapi({ description: 'What failed first and what to do; empty: nothing' }),
    says,
    steps: z.array(
      z.object({
        step: z.enum(CHECK_STEPS),
        result: z.enum(['ok', 'warning', 'failed', 'skipped']),
        ms: z.int().nullable(),
        message: z.string(),
        advice: z.string(),
        says,
      }),
    ),
    credentialExpiresAt: time.nullable(),
  })
  .openapi('ConnectionReport')

const NamesView = z
  .object({
    items: z.array(z.object({ name: z.string() })),
    next: z.string().nullable(),
    complete: z
      .boolean()
      .openapi({ description: 'false: the registry has more than are shown; use whole names' }),
  })
  .openapi('BrowsedNames')

const ImageView = z
  .object({
    digest,
    mediaType: z.string(),
    artifactType: z.string().nullable(),
    size: z.int().openapi({ description: 'Bytes to pull, of all its images' }),
    createdAt: time.nullable(),
    platforms: z.array(z.string()),
    isIndex: z.boolean(),
    images: z.array(z.object({ digest: z.string(), platform: z.string(), size: z.int() })),
  })
  .openapi('RemoteImage')

const names = { ...page, nameHas: text(255).optional() }
const repository = text(255).openapi({ example: 'payments/api' })

export const registryBrowseRoutes = {
  tryOut: route({
    name: 'registry-test.draft',
    method: 'POST',
    path: '/registries/test',
    summary: 'Test a connection step by step before it is stored, with what the body says alone',
    ...forAdmins,
    body: {
      provider: creatable.provider,
      address: creatable.address,
      region: changeable.region,
      namespace: changeable.namespace,
      accessKey: changeable.accessKey,
      secretKey: changeable.secretKey,
      verifyTls: changeable.verifyTls,
      caCertificate: changeable.caCertificate,
    },
    sample: { provider: 'harbor', address: 'https://harbor.example.com' },
    output: ReportView,
  }),
  test: route({
    name: 'registry-test.run',
    method: 'POST',
    path: '/registries/{registry}/test',
    summary: 'Test the connection to an external registry now, step by step',
    ...forAdmins,
    params,
    output: ReportView,
  }),
  health: route({
    name: 'registry-test.get',
    method: 'GET',
    path: '/registries/{registry}/test',
    summary: 'Read what the last test of the connection found; every hour there is one',
    ...forAdmins,
    params,
    output: ReportView,
  }),
  repositories: route({
    name: 'registry-repository.list',
    method: 'GET',
    path: '/registries/{registry}/repositories',
    summary: 'List what an external registry lets us see of its repositories',
    ...forAll,
    params,
    query: names,
    output: NamesView,
  }),
  tags: route({
    name: 'registry-tag.list',
    method: 'GET',
    path: '/registries/{registry}/tags',
    summary: 'List the tags of a repository of an external registry',
    ...forAll,
    params,
    query: { ...names, repository },
    output: NamesView,
  }),
  image: route({
    name: 'registry-image.get',
    method: 'GET',
    path: '/registries/{registry}/image',
    summary: 'Read digest, size, platforms and time of an image of an external registry',
    ...forAll,
    params,
    query: { repository, reference: text(255).openapi({ example: 'latest' }) },
    output: ImageView,
  }),
}

export function registryBrowseEndpoints({ registries, checks, browse }: ApiDeps): Endpoint[] {
  /** @throws AppError not_found, also for those that the caller's projects may not use */
  async function seen(id: string, { isAdmin, account }: Principal): Promise<RegistryRecord> {
    const registry = await registries.get(id, isAdmin ? undefined : account)
    if (!registry) throw registryUnknown(id)
    return registry
  }

  const reply = ({ code: _, ...report }: ConnectionReport) => ({ body: report })
  const listReply = (found: { items: string[]; next: string | null; complete: boolean }) => ({
    body: { ...found, items: found.items.map((name) => ({ name })) },
  })

  return [
    endpoint(registryBrowseRoutes.tryOut, async ({ body, principal }) => {
      const { secretKey, ...settings } = body
      const draft = registries.draft(
        {
          ...given(settings),
          provider: settings.provider,
          address: settings.address,
          secret: secretKey,
        },
        { mayUsePrivate: principal.isAdmin },
      )
      return reply(await checks.tryOut(draft))
    }),

    endpoint(registryBrowseRoutes.test, async ({ params: { registry: id } }) => {
      if (!(await registries.get(id))) throw registryUnknown(id)
      return reply(await checks.check(id))
    }),

    endpoint(registryBrowseRoutes.health, async ({ params: { registry: id } }) => {
      const registry = await registries.get(id)
      if (!registry) throw registryUnknown(id)
      const { checkedAt, health, healthReason, healthSays, healthSteps, credentialExpiresAt } =
        registry
      if (checkedAt === null) {
        throw new AppError('not_found', `registry "${registry.name}" was not tested yet`)
      }
      return {
        body: {
          at: checkedAt,
          ok: health === 'ok',
          reason: healthReason,
          says: healthSays,
          steps: healthSteps as ConnectionReport['steps'],
          credentialExpiresAt,
        },
      }
    }),

    endpoint(registryBrowseRoutes.repositories, async ({ params, query, principal }) => {
      const registry = await seen(params.registry, principal)
      const { limit = 100, ...asked } = query
      return listReply(await browse.repositories(registry, { limit, ...asked }))
    }),

    endpoint(registryBrowseRoutes.tags, async ({ params, query, principal }) => {
      const registry = await seen(params.registry, principal)
      const { limit = 100, repository: name, ...asked } = query
      return listReply(await browse.tags(registry, name, { limit, ...asked }))
    }),

    endpoint(registryBrowseRoutes.image, async ({ params, query, principal }) => {
      const registry = await seen(params.registry, principal)
      const image = await browse.image(registry, query.repository, query.reference)
      if (image) return { body: image }
      throw new AppError(
        'not_found',
        `registry "${registry.name}" has no image ${query.repository} with "${query.reference}"`,
      )
    }),
  ]
}
