import { z } from '@hono/zod-openapi'
import { SELF } from '../../hub/registries/record.ts'
import type { HandoutCaller, HandoutRequest } from '../../hub/use/handout-types.ts'
import type { HandedOut } from '../../hub/use/handouts.ts'
import { type TrustSource, trustFor } from '../../hub/use/trust.ts'
import { AppError } from '../../lib/errors.ts'
import type { Project } from '../../registry/projects.ts'
import type { Tx } from '../../store/db/database.ts'
import type { ApiDeps } from './api.ts'
import { createOwnLogin, type GivenLogin } from './registry-use-login.ts'
import { Handout, handoutBody, PullSecret, pullSecretBody, Trust } from './registry-use-schemas.ts'
import { type Endpoint, endpoint, type RawRequest, route } from './route.ts'

/*
 * What pipelines and clusters need to use a registry, and what clients need to trust one. Secrets go
 * to those who may push: with a registry's login one can push there.
 */

const inProject = { method: 'POST', permission: 'registry:use', on: 'project' } as const
const registryId = z
  .string()
  .max(64)
  .openapi({ description: 'Id', example: '65f0c0de0123456789abcdef' })

export const registryUseRoutes = {
  handOut: route({
    name: 'handout.create',
    path: '/projects/{project}/handouts',
    summary: 'Get what a build, a deployment or a distribution needs to use a registry',
    ...inProject,
    body: handoutBody,
    sample: { purpose: 'build', image: 'app', build: { branch: 'main', taskId: '7' } },
    output: Handout,
  }),
  pullSecret: route({
    name: 'handout.pullSecret',
    path: '/projects/{project}/handouts/pull-secret',
    summary: 'Get only the Kubernetes Secret, as clusters keep one up',
    ...inProject,
    body: pullSecretBody,
    sample: { purpose: 'deploy', environment: 'staging' },
    output: PullSecret,
  }),
}

export const registryTrustRoutes = {
  all: route({
    name: 'registry-trust.list',
    method: 'GET',
    path: '/registries/trust',
    summary: 'Read what clients must be told of registries with certificates of their own',
    permission: 'registry:read',
    on: 'system',
    output: Trust,
  }),
  one: route({
    name: 'registry-trust.get',
    method: 'GET',
    path: '/registries/{registry}/trust',
    summary: 'Read what clients must be told of one registry',
    permission: 'registry:read',
    on: 'system',
    params: { registry: registryId },
    output: Trust,
  }),
}

type Body = Pick<
  HandoutRequest,
  'registry' | 'purpose' | 'environment' | 'image' | 'build' | 'rules'
> & {
  kubernetes?: { namespace?: string | undefined; secretName?: string | undefined } | undefined
  login?: GivenLogin | undefined
}
type Asked = Pick<RawRequest, 'audit' | 'context' | 'principal'> & { project: Project }

export function registryUseEndpoints(deps: ApiDeps): Endpoint[] {
  const { handouts } = deps
  const ownLogin = createOwnLogin(deps)

  function handOut({ kubernetes, login, ...body }: Body, asked: Asked) {
    const { project, context, principal, audit } = asked
    const { purpose, environment, registry } = body
    if (login && registry?.toLowerCase() !== SELF) {
      throw new AppError('invalid_input', '"login" is for the registry "self" alone', {
        field: 'login',
      })
    }
    const caller: HandoutCaller = {
      account: principal.account,
      origin: context.origin,
      ownLogin: () => ownLogin({ project, purpose, given: login, context, principal, audit }),
    }
    return handouts.handOut(
      {
        ...body,
        project: { id: project.id, name: project.name },
        kubernetesNamespace: kubernetes?.namespace,
        secretName: kubernetes?.secretName,
      },
      caller,
      (tx: Tx, { registry, expiresAt }: HandedOut) =>
        audit(tx, {
          resource: registry.name,
          details: { registryId: registry.id, purpose, environment, expiresAt },
        }),
    )
  }

  return [
    endpoint(registryUseRoutes.handOut, async ({ body, ...asked }) => ({
      body: await handOut(body, asked),
    })),
    endpoint(registryUseRoutes.pullSecret, async ({ body, ...asked }) => {
      const { pullSecret, registry } = await handOut(body, asked)
      if (pullSecret) return { body: pullSecret }
      throw new AppError(
        'conflict',
        `registry "${registry.name}" takes everybody, so there is no secret to pull with`,
      )
    }),
  ]
}

export function registryTrustEndpoints({ registries }: ApiDeps): Endpoint[] {
  /** Administrators see all registries, others those of their projects. */
  const visibleTo = ({ isAdmin, account }: RawRequest['principal']) =>
    isAdmin ? undefined : account

  return [
    endpoint(registryTrustRoutes.all, async ({ principal }) => {
      const found = await registries.list({ visibleTo: visibleTo(principal) })
      return { body: trustFor(found.map(sourceOf)) }
    }),
    endpoint(registryTrustRoutes.one, async ({ params, principal }) => {
      const found = await registries.get(params.registry, visibleTo(principal))
      if (found) return { body: trustFor([sourceOf(found)]) }
      throw new AppError(
        'not_found',
        `there is no registry ${JSON.stringify(params.registry)}, or you may not see it`,
      )
    }),
  ]
}

function sourceOf({
  caCertificate,
  ...registry
}: Omit<TrustSource, 'caCertificate'> & { caCertificate: string | null }): TrustSource {
  return { ...registry, caCertificate: caCertificate ?? undefined }
}
