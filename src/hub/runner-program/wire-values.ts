import { isAppError } from '../../lib/errors.ts'
import type { Says } from '../../lib/reasons.ts'
import type { CheckStep, ConnectionReport } from '../health/report.ts'
import type { TaggedImage } from '../inventory/repository-store.ts'
import { Failure, PAGE_BYTES, type RunnerFailure, type RunnerPage } from '../runners/protocol.ts'

/* What registries and errors say, brought into the bounds of the protocol before it is sent. */

type WireImage = Extract<RunnerPage, { kind: 'images' }>['changed'][number]

/** Without control characters, and not longer than this. */
export function plainText(text: string, most: number): string {
  return text
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, most)
    .toWellFormed()
}

export function failureOf(error: unknown): RunnerFailure {
  if (!isAppError(error)) {
    return { code: 'internal', message: 'the runner failed in an unforeseen way; see its log' }
  }
  const code = Failure.shape.code.safeParse(error.code)
  const { problem, retryAfter, reason } = error.details
  return {
    code: code.success ? code.data : 'internal',
    message: plainText(error.message, 2_000),
    ...(typeof problem === 'string' ? { problem: plainText(problem, 64) } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter: whole(Math.min(retryAfter, 86_400)) }),
    ...(reason === undefined ? {} : { says: saysOf(reason) }),
  }
}

export function reportOf(report: ConnectionReport) {
  return {
    ...report,
    at: whole(report.at),
    reason: plainText(report.reason, 2_000),
    says: report.says && saysOf(report.says),
    credentialExpiresAt: timeOf(report.credentialExpiresAt ?? undefined) ?? null,
    steps: report.steps.map(
      (step): CheckStep => ({
        ...step,
        ms: step.ms === null ? null : whole(Math.min(step.ms, 3_600_000)),
        message: plainText(step.message, 2_000),
        advice: plainText(step.advice, 2_000),
        says: step.says && saysOf(step.says),
      }),
    ),
  }
}

export function saysOf({ name, params }: Says): Says {
  const shown = Object.entries(params).map(([key, value]) => [
    key,
    typeof value === 'string' ? plainText(value, 500) : value,
  ])
  return { name, params: Object.fromEntries(shown) }
}

export function imageOf({ tag, digest, facts, pushedAt }: TaggedImage): WireImage {
  const { mediaType, size, platforms, children, createdAt } = facts
  const pushed = timeOf(pushedAt)
  const created = timeOf(createdAt)
  return {
    tag,
    digest,
    ...(pushed === undefined ? {} : { pushedAt: pushed }),
    facts: {
      mediaType: plainText(mediaType, 255),
      size: whole(size),
      platforms: platforms.slice(0, 64).map((platform) => plainText(platform, 100)),
      children: children.slice(0, 64).map((child) => ({
        digest: child.digest,
        platform: plainText(child.platform, 100),
        size: whole(child.size),
      })),
      ...(created === undefined ? {} : { createdAt: created }),
    },
  }
}

export function timeOf(ms: number | undefined): number | undefined {
  if (ms === undefined || !(ms > 0) || ms > 32_503_680_000_000) return undefined
  return Math.round(ms)
}

/** Parts that are small enough to be sent, of entries that are at most `most` each. */
export function* partsOf<T>(entries: readonly T[], most: number): Generator<T[]> {
  let part: T[] = []
  let bytes = 0
  for (const entry of entries) {
    const size = JSON.stringify(entry).length
    if (part.length > 0 && (part.length >= most || bytes + size > PAGE_BYTES)) {
      yield part
      part = []
      bytes = 0
    }
    part.push(entry)
    bytes += size
  }
  if (part.length > 0) yield part
}

function whole(value: number): number {
  return Math.min(Math.max(Math.round(value) || 0, 0), Number.MAX_SAFE_INTEGER)
}
