import { z } from 'zod'
import type { Says } from '../../lib/reasons.ts'
import { saysOf, saysOfAll } from '../../lib/stored-says.ts'
import type { Row } from '../../store/db/schema.ts'

/* A transfer as it is stored and shown. */

export const transferOptions = z.object({
  /** `linux/arm64`; empty: all. */
  platforms: z.array(z.string()),
  index: z.enum(['keep', 'rewrite']),
  referrers: z.boolean(),
  overwrite: z.boolean(),
})

export type TransferOptions = z.output<typeof transferOptions>
export type TransferState = Row<'transfer'>['state']

const blobProgress = z.object({
  digest: z.string(),
  size: z.number(),
  state: z.enum(['waiting', 'running', 'sent', 'skipped', 'mounted']),
  /** How many of them the target has. */
  bytes: z.number(),
})

export type BlobProgress = z.output<typeof blobProgress>

/** One end; `registry` null: ourselves. */
export interface TransferEnd {
  registry: string | null
  name: string
  repository: string
}

export interface Transfer {
  id: number
  project: { id: number; name: string }
  source: TransferEnd & { reference: string }
  target: TransferEnd & { tag: string | null }
  options: TransferOptions
  requestedBy: { account: number; name: string }
  state: TransferState
  /** What is copied, once that is known. */
  digest: string | null
  manifests: number
  blobs: { total: number; done: number; shown: BlobProgress[] }
  bytes: { total: number; sent: number; skipped: number; mounted: number }
  /** Bytes per second. */
  speed: number
  notes: string[]
  /** The same for the console, in that order. */
  noteSays: Says[]
  error: { code: string; message: string; says?: Says | undefined } | null
  /** Epoch milliseconds, like the others. */
  waitsUntil: number | null
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
}

export function transferOf(row: Row<'transfer'> & { project_name: string }): Transfer {
  const notes = z.array(z.string()).parse(JSON.parse(row.notes))
  const says = saysOf(row.error, row.error_says)
  return {
    id: row.id,
    project: { id: row.project, name: row.project_name },
    source: {
      registry: row.source_registry,
      name: row.source_name,
      repository: row.source_repository,
      reference: row.source_reference,
    },
    target: {
      registry: row.target_registry,
      name: row.target_name,
      repository: row.target_repository,
      tag: row.target_tag,
    },
    options: optionsOf(row),
    requestedBy: { account: row.requested_by, name: row.requested_by_name },
    state: row.state,
    digest: row.digest,
    manifests: row.manifests,
    blobs: {
      total: row.blobs_total,
      done: row.blobs_done,
      shown: z.array(blobProgress).parse(JSON.parse(row.blobs)),
    },
    bytes: {
      total: row.bytes_total,
      sent: row.bytes_sent,
      skipped: row.bytes_skipped,
      mounted: row.bytes_mounted,
    },
    speed: row.speed,
    notes,
    noteSays: saysOfAll(notes, row.note_says),
    error:
      row.error === null
        ? null
        : {
            code: row.error_code ?? 'internal',
            message: row.error,
            ...(says ? { says } : {}),
          },
    waitsUntil: row.waits_until,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}

export function optionsOf(row: Pick<Row<'transfer'>, 'options'>): TransferOptions {
  return transferOptions.parse(JSON.parse(row.options))
}

/** `self:payments/api:1.0 → harbor:team/api:1.0`: as the audit and the log name it. */
export function describeTransfer({ source, target }: Pick<Transfer, 'source' | 'target'>): string {
  const mark = source.reference.includes(':') ? '@' : ':'
  const from = `${source.name}:${source.repository}${mark}${source.reference}`
  const tag = target.tag === null ? '' : `:${target.tag}`
  return `${from} → ${target.name}:${target.repository}${tag}`
}
