import { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import { repositoryUnknown } from '../../registry/repository-openings.ts'
import { demandDigest } from '../v2/parse.ts'
import type { ApiDeps } from './api.ts'
import { Artifact } from './artifact-schemas.ts'
import { idAfter, listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, NOTHING, route } from './route.ts'
import { digest, flag, page, pageOf } from './schemas.ts'

const IN_REPOSITORY = '/projects/{project}/repositories/{repository}/artifacts'

export const artifactRoutes = {
  list: route({
    name: 'artifact.list',
    method: 'GET',
    path: IN_REPOSITORY,
    summary: 'List the manifests of a repository, newest first',
    permission: 'repository:pull',
    on: 'repository',
    query: page,
    output: pageOf(Artifact),
  }),
  get: route({
    name: 'artifact.get',
    method: 'GET',
    path: `${IN_REPOSITORY}/{digest}`,
    summary: 'Read one manifest of a repository',
    permission: 'repository:pull',
    on: 'repository',
    params: { digest },
    output: Artifact.extend({
      parents: z.array(digest).openapi({ description: 'Indexes that contain it; at most 20' }),
    }).openapi('ArtifactWithParents'),
  }),
  remove: route({
    name: 'artifact.delete',
    method: 'DELETE',
    path: `${IN_REPOSITORY}/{digest}`,
    summary: 'Delete a manifest and the tags that point at it',
    permission: 'repository:delete',
    on: 'repository',
    params: { digest },
    query: {
      refuseReferenced: flag
        .optional()
        .openapi({ description: 'Refuse what an index of the repository contains' }),
      refuseSubjects: flag
        .optional()
        .openapi({ description: 'Refuse what signatures and the like are attached to' }),
    },
  }),
}

export function artifactEndpoints({ registry }: ApiDeps): Endpoint[] {
  const { artifacts, manifests, repositories } = registry

  return [
    endpoint(artifactRoutes.list, async ({ name, query: { limit, after } }) => {
      const from = idAfter(after)
      const repository = await repositories.find(name)
      if (!repository) throw repositoryUnknown(name)
      return listReply(
        await readPage(
          limit,
          (count) => artifacts.list(repository.id, { limit: count, ...from }),
          (artifact) => String(artifact.id),
        ),
      )
    }),

    endpoint(artifactRoutes.get, async ({ name, params }) => {
      const digest = demandDigest(params.digest)
      const repository = await repositories.find(name)
      if (!repository) throw repositoryUnknown(name)
      const artifact = await artifacts.get(repository.id, digest)
      if (artifact) {
        return { body: { ...artifact, parents: await artifacts.parents(repository.id, digest) } }
      }
      throw new AppError('manifest_unknown', `${digest} is not in repository "${name.full}"`)
    }),

    endpoint(artifactRoutes.remove, async ({ name, params, query, principal, audit }) => {
      const digest = demandDigest(params.digest)
      const { refuseReferenced = false, refuseSubjects = false } = query
      await manifests.remove(
        name,
        digest,
        principal.account,
        { refuseReferenced, refuseSubjects },
        (tx) => audit(tx, { resource: `${name.full}@${digest}`, details: { digest } }),
      )
      return NOTHING
    }),
  ]
}
