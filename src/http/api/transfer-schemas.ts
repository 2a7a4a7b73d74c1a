import { z } from '@hono/zod-openapi'
import type { Transfer } from '../../hub/transfers/transfer.ts'
import { digest, id, says, saysValue, text, time } from './schemas.ts'

/* Transfers as `/api/v1` takes and shows them. */

export const transferState = z.enum(['queued', 'running', 'done', 'failed', 'cancelled'])

const registry = text(128).openapi({
  description: '`self` is Entrepot itself; an id or a name; left out: the default',
  example: 'harbor',
})
const repository = z.string().min(1).max(255)
const reference = z.string().min(1).max(140)

/** Short enough for every proxy on the way, and for a server that is stopped. */
export const secondsToWait = z
  .string()
  .regex(/^[1-5]$/, 'must be 1 to 5')
  .transform(Number)
  .openapi({
    type: 'integer',
    minimum: 1,
    maximum: 5,
    description: 'Answer when it has ended, or after this many seconds; at once unless set',
    example: 5,
  })

export const askedTransfer = {
  project: text(255).optional().openapi({
    description:
      'Whose registries are meant; left out: the project of the repository of ours, of the target first',
    example: 'payments',
  }),
  source: z.strictObject({
    registry: registry.optional(),
    repository: repository.openapi({
      description: 'As its registry names it, in full',
      example: 'payments/api',
    }),
    reference: reference
      .optional()
      .openapi({ description: 'Tag or digest; `latest` unless set', example: '1.4' }),
  }),
  target: z.strictObject({
    registry: registry.optional(),
    repository: repository.optional().openapi({
      description:
        'Left out: the last segment of the source under the namespace of the registry, of ours under the project',
    }),
    tag: text(128)
      .optional()
      .openapi({ description: 'Left out: that of the source; of a digest none' }),
  }),
  platforms: z
    .array(z.string().max(100))
    .min(1)
    .max(50)
    .optional()
    .openapi({ description: 'Only these of an index; left out: all', example: ['linux/arm64'] }),
  index: z
    .enum(['keep', 'rewrite'])
    .optional()
    .openapi({
      description:
        'With `platforms`: `keep` (the default) leaves the index as it is, with children missing; ' +
        '`rewrite` makes one of the chosen, with another digest, so that signatures of the whole are lost',
    }),
  referrers: z
    .boolean()
    .optional()
    .openapi({ description: 'Signatures, attestations, SBOMs too; true unless set' }),
  overwrite: z.boolean().optional().openapi({
    description: 'false: a tag that is there with another digest is an error; true unless set',
  }),
}

const BlobView = z.object({
  digest,
  size: z.int(),
  state: z.enum(['waiting', 'running', 'sent', 'skipped', 'mounted']),
  bytes: z.int().openapi({ description: 'How many of them the target has' }),
})

const end = {
  registry: z.string().nullable().openapi({ description: 'Its id; null: Entrepot itself' }),
  name: z.string().openapi({ description: 'As it was called then; `self` for Entrepot itself' }),
  repository: z.string(),
}

export const TransferView = z
  .object({
    id,
    project: z.string(),
    source: z.object({ ...end, reference: z.string() }),
    target: z.object({ ...end, tag: z.string().nullable() }),
    platforms: z.array(z.string()).nullable().openapi({ description: 'null: all' }),
    index: z.enum(['keep', 'rewrite']),
    referrers: z.boolean(),
    overwrite: z.boolean(),
    requestedBy: z.string(),
    state: transferState,
    digest: digest.nullable().openapi({ description: 'What is copied, once that is known' }),
    manifests: z.int(),
    blobs: z.object({
      total: z.int(),
      done: z.int(),
      shown: z.array(BlobView).openapi({ description: 'At most 100, those under way first' }),
    }),
    bytes: z.object({ total: z.int(), sent: z.int(), skipped: z.int(), mounted: z.int() }),
    speed: z.int().openapi({ description: 'Bytes per second, lately' }),
    notes: z.array(z.string()).openapi({ description: 'What was left out, and why' }),
    noteSays: z.array(saysValue).openapi({ description: 'The same for programs, in that order' }),
    error: z.object({ code: z.string(), message: z.string(), says }).nullable(),
    waitsUntil: time.nullable().openapi({ description: 'When a queued one is tried again' }),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .openapi('Transfer')

export function transferView(transfer: Transfer): z.input<typeof TransferView> {
  const { project, options, requestedBy, ...rest } = transfer
  const { platforms, index, referrers, overwrite } = options
  return {
    ...rest,
    project: project.name,
    platforms: platforms.length === 0 ? null : platforms,
    index,
    referrers,
    overwrite,
    requestedBy: requestedBy.name,
  }
}
