import { z } from '@hono/zod-openapi'
import { AppError } from '../../lib/errors.ts'
import { signatureTag } from '../../oci/accessory.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import type { RepositoryName } from '../../oci/reference.ts'
import { createArtifactList, type ListedArtifact } from '../../registry/artifact-list.ts'
import { repositoryUnknown } from '../../registry/repository-openings.ts'
import type { Tx } from '../../store/db/database.ts'
import { LIVE } from '../../store/db/prepared.ts'
import { artifactType, iconOf } from './artifact-type.ts'
import type { CcrParts } from './ccr.ts'
import { shown } from './input.ts'
import { pageOf } from './paging.ts'
import { DONE, type Endpoint, endpoint, route } from './route.ts'
import { id, listTime, paging, utcTime } from './schemas.ts'
import { NEVER_RFC3339, type Times } from './times.ts'

const digest = z.string().openapi({ example: `sha256:${'0'.repeat(64)}` })

const Reference = z
  .object({
    child_digest: digest,
    child_id: z.int().openapi({ description: '0: not in the repository' }),
    parent_id: id,
    platform: z.object({
      architecture: z.string().openapi({ example: 'arm64' }),
      os: z.string().openapi({ example: 'linux' }),
    }),
  })
  .openapi('CcrReference')

const Tag = z
  .object({
    artifact_id: id,
    id,
    immutable: z.boolean(),
    name: z.string().openapi({ example: 'v1' }),
    pull_time: utcTime,
    push_time: utcTime,
    repository_id: id,
    signed: z.boolean(),
  })
  .openapi('CcrTag')

const ArtifactItem = z
  .object({
    digest,
    extra_attrs: z
      .object({
        architecture: z.string(),
        author: z.string(),
        created: utcTime,
        os: z.string(),
      })
      .openapi({ description: 'Of an index empty: its children may differ' }),
    icon: z.string(),
    id,
    labels: z.literal(''),
    manifest_media_type: z.string(),
    media_type: z.string().openapi({ description: 'Of the config; of an index its own' }),
    project_id: id,
    pull_time: listTime,
    push_time: listTime,
    references: z.array(Reference),
    repository_id: id,
    size: z.int().openapi({ description: 'Bytes, with config, layers and children' }),
    tags: z.array(Tag),
    type: z.string().openapi({ description: 'IMAGE, CHART or what it is', example: 'IMAGE' }),
  })
  .openapi('CcrArtifact')

const IN_REPOSITORY = '/projects/{project}/repositories/{repository}/artifacts'

export const artifactRoutes = {
  list: route({
    name: 'artifact.list',
    method: 'GET',
    path: IN_REPOSITORY,
    summary: {
      en: 'List the artifacts of a repository, newest first',
      zh: '查看镜像仓库下镜像列表',
    },
    permission: 'repository:pull',
    on: 'repository',
    query: paging,
    output: { page: z.int(), pageSize: z.int(), total: z.int(), artifacts: z.array(ArtifactItem) },
  }),
  remove: route({
    name: 'artifact.delete',
    method: 'DELETE',
    path: `${IN_REPOSITORY}/{digest}`,
    summary: { en: 'Delete an artifact with its tags', zh: '删除镜像仓库下的镜像' },
    permission: 'repository:delete',
    on: 'repository',
  }),
}

export function artifactEndpoints({ db, registry, times }: CcrParts): Endpoint[] {
  const list = createArtifactList({ db })

  return [
    endpoint(artifactRoutes.list, async ({ project, name, query }) => {
      const { range, page, pageSize, warning } = pageOf(query)
      const found = await list.page(project.id, name.path, range)
      if (!found) throw repositoryUnknown(name)
      const artifacts = found.items.map((artifact) => viewOf(artifact, project.id, times))
      return { fields: { page, pageSize, total: found.total, artifacts }, warning }
    }),

    endpoint(artifactRoutes.remove, async ({ name, params, principal, audit }) => {
      const digest = demandDigest(params.digest ?? '')
      await registry.manifests.remove(
        name,
        digest,
        principal.account,
        { refuseReferenced: true, refuseSubjects: true },
        async (tx) => {
          await demandUnsigned(tx, name, digest)
          await audit(tx, { resource: `${name.full}@${digest}`, details: { digest } })
        },
      )
      return DONE
    }),
  ]
}

function viewOf(artifact: ListedArtifact, project: number, times: Times) {
  const { id, repository, details, children } = artifact
  const isIndex = artifact.kind === 'index'
  const type = artifactType(artifact)
  return {
    digest: artifact.digest,
    extra_attrs: {
      architecture: details?.architecture ?? '',
      author: details?.author ?? '',
      created: createdOf(details?.created ?? ''),
      os: details?.os ?? '',
    },
    icon: iconOf(type),
    id,
    labels: '' as const,
    manifest_media_type: artifact.mediaType,
    media_type: (isIndex ? null : artifact.configMediaType) ?? artifact.mediaType,
    project_id: project,
    pull_time: times.list(artifact.pulledAt),
    push_time: times.list(artifact.pushedAt),
    references: children.map((child) => ({
      child_digest: child.digest,
      child_id: child.id ?? 0,
      parent_id: id,
      platform: { architecture: child.architecture, os: child.os },
    })),
    repository_id: repository,
    size: artifact.size,
    tags: artifact.tags.map((tag) => ({
      artifact_id: id,
      id: tag.id,
      immutable: tag.immutable,
      name: tag.name,
      pull_time: times.utc(tag.pulledAt),
      push_time: times.utc(tag.pushedAt),
      repository_id: repository,
      signed: artifact.signed,
    })),
    type,
  }
}

/** As the config says it, to the nanosecond, where that is a time; clients parse it. */
function createdOf(created: string): string {
  if (/Z$/.test(created) && /^\d{4}-\d\d-\d\dT/.test(created) && !Number.isNaN(Date.parse(created)))
    return created
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(created) ? Date.parse(created) : Number.NaN
  return Number.isNaN(at) ? NEVER_RFC3339 : new Date(at).toISOString()
}

function demandDigest(asked: string): Digest {
  const digest = parseDigest(asked)
  if (digest) return digest
  throw new AppError(
    'digest_invalid',
    `digest is ${shown(asked)}: it must be sha256: or sha512: and its lower-case hex`,
    { field: 'digest' },
  )
}

/** Signatures that name their subject are found by the removal itself; cosign's may only have a tag. */
async function demandUnsigned(tx: Tx, name: RepositoryName, digest: Digest): Promise<void> {
  const signature = await tx
    .selectFrom('project')
    .innerJoin('repository', 'repository.project', 'project.id')
    .innerJoin('tag', 'tag.repository', 'repository.id')
    .select('tag.name')
    .where('project.name', '=', name.project)
    .where('project.state', '=', LIVE)
    .where('repository.name', '=', name.path)
    .where('repository.state', '=', LIVE)
    .where('tag.name', '=', signatureTag(digest))
    .executeTakeFirst()
  if (!signature) return
  throw new AppError(
    'in_use',
    `artifact ${digest} of ${name.full} is signed, by the tag ${signature.name}; delete the signature first`,
  )
}
