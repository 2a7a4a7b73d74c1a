import { z } from '@hono/zod-openapi'
import { readSmallBlob } from '../../charts/chart-blobs.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import { type Digest, parseDigest } from '../../oci/digest.ts'
import { parseManifest } from '../../oci/manifest.ts'
import type { RepositoryName } from '../../oci/reference.ts'
import { cosignTags, cosignTypeOf } from '../../registry/artifact-summaries.ts'
import { demandDigest } from '../v2/parse.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { listReply, readPage } from './pages.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { digest, page, pageOf } from './schemas.ts'

/** Larger configs are no configs of images. */
const CONFIG_LIMIT = 1024 * 1024

const ManifestText = z
  .object({
    digest,
    mediaType: z.string(),
    manifest: z.string().openapi({ description: 'The manifest as it was pushed' }),
    config: z
      .string()
      .nullable()
      .openapi({ description: 'Its config where that is JSON of at most 1 MiB' }),
  })
  .openapi('ManifestText')

const Referrer = z
  .object({
    digest,
    mediaType: z.string(),
    artifactType: z.string(),
    size: z.int().openapi({ description: 'Of the manifest itself, bytes' }),
    annotations: z.record(z.string(), z.string()).nullable(),
    tag: z.string().nullable().openapi({ description: 'Attached by this tag, as cosign does' }),
  })
  .openapi('Referrer')

const OF_ARTIFACT = '/projects/{project}/repositories/{repository}/artifacts/{digest}'
const read = { method: 'GET', permission: 'repository:pull', on: 'repository' } as const

export const artifactContentRoutes = {
  manifest: route({
    name: 'artifact.manifest',
    path: `${OF_ARTIFACT}/manifest`,
    summary: 'Read the text of a manifest and of its config',
    ...read,
    params: { digest },
    output: ManifestText,
  }),
  referrers: route({
    name: 'artifact.referrers',
    path: `${OF_ARTIFACT}/referrers`,
    summary: 'List signatures and whatever else is attached to a manifest',
    ...read,
    params: { digest },
    query: page,
    output: pageOf(Referrer),
  }),
}

export function artifactContentEndpoints({ registry }: ApiDeps): Endpoint[] {
  const { blobs, manifests, referrers, repositories, tags } = registry

  async function configOf(name: RepositoryName, bytes: Uint8Array, mediaType: string) {
    const { edges } = parseManifest(bytes, mediaType)
    const config = edges.find(({ kind }) => kind === 'config')?.descriptor
    const known = config && parseDigest(config.digest)
    if (!known || config.size > CONFIG_LIMIT || !config.mediaType.endsWith('json')) return null
    try {
      return new TextDecoder().decode(await readSmallBlob(blobs, name, known, CONFIG_LIMIT))
    } catch (error) {
      // The manifest can be shown without it.
      if (isAppError(error, 'blob_unknown', 'too_large', 'unavailable')) return null
      throw error
    }
  }

  /** What cosign attached by tags instead of by a subject. */
  async function byTags(name: RepositoryName, of: Digest) {
    const repository = await repositories.find(name)
    if (!repository) return []
    const found = await Promise.all(cosignTags(of).map((tag) => tags.find(repository.id, tag)))
    return found.flatMap((tag) =>
      tag
        ? [
            {
              digest: tag.digest,
              mediaType: tag.mediaType,
              artifactType: cosignTypeOf(tag.name),
              size: 0,
              annotations: null,
              tag: tag.name,
            },
          ]
        : [],
    )
  }

  return [
    endpoint(artifactContentRoutes.manifest, async ({ name, params }) => {
      const asked = demandDigest(params.digest)
      const { mediaType, bytes } = await manifests.get(name, { kind: 'digest', digest: asked })
      const config = await configOf(name, bytes, mediaType)
      const manifest = new TextDecoder().decode(bytes)
      return { body: { digest: asked, mediaType, manifest, config } }
    }),

    endpoint(artifactContentRoutes.referrers, async ({ name, params, query }) => {
      const asked = demandDigest(params.digest)
      const { limit, after } = query
      if (after !== undefined && !parseDigest(after)) {
        throw new AppError('invalid_input', '"after" must be a digest', { field: 'after' })
      }
      const found = await readPage(
        limit,
        (count) =>
          referrers.list(name, asked, { artifactTypes: [], limit: count, ...given({ after }) }),
        (referrer) => referrer.digest,
      )
      const items = found.items.map((referrer) => ({
        ...referrer,
        artifactType: referrer.artifactType ?? '',
        annotations: referrer.annotations ?? null,
        tag: null,
      }))
      const attached = after === undefined ? await byTags(name, asked) : []
      return listReply({ ...found, items: [...attached, ...items] })
    }),
  ]
}
