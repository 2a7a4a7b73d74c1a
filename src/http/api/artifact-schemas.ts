import { z } from '@hono/zod-openapi'
import { digest, id, time } from './schemas.ts'

/* Manifests, as several lists show them. */

const platform = z.string().nullable().openapi({ example: 'linux/arm64' })
const totalSize = z
  .int()
  .openapi({ description: 'With config and layers, of an index with its parts' })

const ArtifactPart = z
  .object({
    digest,
    mediaType: z.string(),
    platform,
    totalSize: totalSize.nullable().openapi({ description: 'null: not in the repository' }),
    attests: z
      .string()
      .nullable()
      .openapi({ description: 'An attestation of BuildKit: the image that it is about' }),
  })
  .openapi('ArtifactPart')

const Attached = z
  .object({
    artifactType: z
      .string()
      .openapi({ description: 'Of tags of cosign `cosign.sig`, `cosign.att`, `cosign.sbom`' }),
    count: z.int(),
  })
  .openapi('Attached')

export const ArtifactSummary = z
  .object({
    id,
    digest,
    mediaType: z.string(),
    artifactType: z.string().nullable(),
    configMediaType: z.string().nullable(),
    kind: z.enum(['image', 'index']),
    size: z.int().openapi({ description: 'Of the manifest itself, bytes' }),
    totalSize,
    subject: digest.nullable().openapi({ description: 'The manifest that this one refers to' }),
    annotations: z.record(z.string(), z.string()).nullable(),
    platform,
    created: z.string().nullable().openapi({ description: 'As the image says itself, RFC 3339' }),
    parts: z.array(ArtifactPart).openapi({ description: 'Of an index; at most 200' }),
    attached: z.array(Attached).openapi({ description: 'Signatures and the like, by type' }),
    pulledAt: time.nullable(),
  })
  .openapi('ArtifactSummary')

export const Artifact = ArtifactSummary.extend({
  tags: z.array(z.string()).openapi({ description: 'By name, the first 50' }),
  tagCount: z.int(),
  pushedAt: time,
  pushedBy: z.string().nullable(),
}).openapi('Artifact')
