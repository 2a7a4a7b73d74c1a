import { z } from 'zod'
import { PROVIDER_NAMES } from '../../client/provider.ts'
import { CHECK_STEPS } from '../health/report.ts'

/*
 * What the hub and a runner say to each other, over `/api/v1/runners/…`. A runner is outside: of what
 * it sends every value has its bounds here.
 */

/** Secret scanners find them, logs leave them out. */
export const RUNNER_CREDENTIAL_PREFIX = 'epn_'
export const ENROLMENT_TOKEN_PREFIX = 'epe_'

/** Tasks that one lease may bring. */
const MOST_TASKS = 16
/** Entries of one page; the runner also keeps a page below `PAGE_BYTES`. */
export const MOST_ENTRIES = 500
export const PAGE_BYTES = 256 * 1024
/** Seconds that a runner may wait for work; proxies close what is idle for longer than a minute. */
export const LONGEST_WAIT = 25

const CONTROL = /\p{Cc}/u
const plain = (most: number, least = 0) =>
  z
    .string()
    .min(least)
    .max(most)
    .refine((text) => !CONTROL.test(text) && text.isWellFormed(), {
      error: 'must not have control characters',
    })
const whole = z.int().min(0)
const digest = z.string().regex(/^[a-z0-9+._-]{1,32}:[A-Za-z0-9=_-]{32,256}$/, 'must be a digest')
const tag = z.string().regex(/^[\w][\w.-]{0,127}$/, 'must be a tag')
const repository = plain(512, 1)
/** Milliseconds; a year 275760 is none that a database should hold. */
const time = whole.max(32_503_680_000_000)

/** The public key of a runner: P-256, for ECDH-ES. */
export const PublicKey = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().regex(/^[\w-]{43}$/, 'must be a coordinate in base64url'),
  y: z.string().regex(/^[\w-]{43}$/, 'must be a coordinate in base64url'),
})

/** sha256 of a credential that the runner made, hex: the hub is never sent a new one in clear. */
export const CredentialHash = z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha256 in hex')

export const ProgramVersion = plain(64)

/** The same as a sentence beside it, for the console. */
const Told = z.strictObject({
  name: z.string().regex(/^\w{1,64}$/),
  params: z
    .record(z.string().regex(/^\w{1,32}$/), z.union([plain(500), z.number()]))
    .refine((params) => Object.keys(params).length <= 16, {
      error: 'must have at most 16 entries',
    }),
})

/** How work failed, as an `AppError` of the hub's would tell it. */
export const Failure = z.strictObject({
  code: z.enum([
    'invalid_input',
    'digest_invalid',
    'digest_mismatch',
    'manifest_invalid',
    'manifest_too_large',
    'size_invalid',
    'too_large',
    'denied',
    'not_found',
    'manifest_unknown',
    'blob_unknown',
    'conflict',
    'rate_limited',
    'unavailable',
    'internal',
    'address_refused',
    'remote_unreachable',
    'remote_denied',
    'remote_error',
  ]),
  message: plain(2_000),
  /** See `AnswerProblem` and `RemoteProblem`. */
  problem: plain(64).optional(),
  retryAfter: whole.max(86_400).optional(),
  says: Told.optional(),
})

/** A registry as its runner needs it; only the runner can open `secret`. */
export const TaskRegistry = z.object({
  id: z.string(),
  name: z.string(),
  provider: z.enum(PROVIDER_NAMES),
  address: z.string(),
  region: z.string(),
  namespace: z.string(),
  accessKey: z.string(),
  apiVersion: z.enum(['V1', 'V2']),
  verifyTls: z.boolean(),
  caCertificate: z.string().nullable(),
  /** Its own host and port may be at a private address. */
  allowPrivate: z.boolean(),
  /** Compact JWE of a `SealedLogin`; null: none. */
  secret: z.string().nullable(),
})

/**
 * `check`: test the connection; `list`: its repositories; `read`: the images of one of them; `copy`:
 * an image between it and the hub, or another registry. What belongs to one sync may share what it remembers.
 */
export const Work = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('check') }),
  z.object({ kind: z.literal('list'), sync: whole }),
  z.object({ kind: z.literal('read'), sync: whole, repository: z.string() }),
  z.object({
    kind: z.literal('copy'),
    /** Names it to the hub. */
    transfer: whole,
    /** `in`: from the registry to the hub, or to `other`; `out`: the other way. */
    direction: z.enum(['in', 'out']),
    /** Id of the registry at the other end; left out: the hub itself. */
    other: z.string().optional(),
    source: z.object({ repository: z.string(), reference: z.string() }),
    target: z.object({ repository: z.string(), tag: z.string().nullable() }),
    platforms: z.array(z.string()),
    index: z.enum(['keep', 'rewrite']),
    referrers: z.boolean(),
    overwrite: z.boolean(),
  }),
])

export const Task = z.object({
  id: whole,
  /** Counts leases of this task: what a former holder says is not heard. */
  epoch: whole,
  registry: TaskRegistry,
  /** Of a copy between two of them. */
  other: TaskRegistry.optional(),
  work: Work,
})

export const LeaseAnswer = z.object({
  tasks: z.array(Task).max(MOST_TASKS),
  /** Of those that the runner said it has. */
  lost: z.array(whole),
  /** Milliseconds for which a task stays with who has it and says nothing. */
  leaseMs: whole,
  /** The credential is old: make another one. */
  rotate: z.boolean(),
})

const held = z.array(z.strictObject({ id: whole, epoch: whole })).max(MOST_TASKS)

export const LeaseRequest = {
  /** The program was just started: what it had before goes back. */
  begins: z.boolean(),
  /** What it has, and keeps. */
  held,
  /** Tasks that the runner can take now. */
  slots: z.int().min(1).max(MOST_TASKS),
  /** Of them for copies, which may take hours: the rest goes on beside them. */
  copies: z.int().min(0).max(MOST_TASKS),
  /** Seconds to wait for the first one. */
  wait: z.int().min(0).max(LONGEST_WAIT),
  version: ProgramVersion,
}

export const HeldTasks = { held }
export const HeldAnswer = z.object({ lost: z.array(whole) })
export const EnrolAnswer = z.object({ id: z.string(), name: z.string() })

export const KnownRequest = { epoch: whole, tags: z.array(tag).max(MOST_ENTRIES) }
export const KnownAnswer = z.object({
  items: z.array(z.object({ tag: z.string(), digest: z.string(), pushedAt: time.nullable() })),
})

const Image = z.strictObject({
  tag,
  digest,
  pushedAt: time.optional(),
  facts: z.strictObject({
    mediaType: plain(255),
    size: whole,
    platforms: z.array(plain(100)).max(64),
    children: z.array(z.strictObject({ digest, platform: plain(100), size: whole })).max(64),
    createdAt: time.optional(),
  }),
})

/** How far a copy is. */
export const Progress = z.strictObject({
  digest: digest.nullable(),
  manifests: whole,
  blobs: z
    .array(
      z.strictObject({
        digest,
        size: whole,
        state: z.enum(['waiting', 'running', 'sent', 'skipped', 'mounted']),
        bytes: whole,
      }),
    )
    .max(100),
  blobsTotal: whole,
  blobsDone: whole,
  bytesTotal: whole,
  bytesSent: whole,
  bytesSkipped: whole,
  bytesMounted: whole,
  speed: whole,
  notes: z.array(plain(500)).max(20),
  noteSays: z.array(Told).max(20).optional(),
})

/** For `/v2` of the hub, for the one repository that a copy is about. */
export const CopyToken = z.object({ token: z.string(), expiresIn: whole })
export const CopyTokenRequest = { epoch: whole }

/** A part of what a task found. */
export const Page = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('repositories'),
    found: z
      .array(z.strictObject({ name: repository, mark: plain(256).optional() }))
      .max(MOST_ENTRIES),
  }),
  z.strictObject({
    kind: z.literal('images'),
    unchanged: z.array(z.strictObject({ tag, pushedAt: time.optional() })).max(MOST_ENTRIES),
    changed: z.array(Image).max(MOST_ENTRIES),
  }),
  /** Every tag was seen. */
  z.strictObject({ kind: z.literal('settled') }),
  z.strictObject({ kind: z.literal('progress'), progress: Progress }),
])

const Report = z.strictObject({
  at: time,
  ok: z.boolean(),
  reason: plain(2_000),
  says: Told.optional(),
  code: z.enum(['CREATE_JOB_FAILED', 'REQUEST_API_ERROR', 'SERVER_ERROR']).nullable(),
  steps: z
    .array(
      z.strictObject({
        step: z.enum(CHECK_STEPS),
        result: z.enum(['ok', 'warning', 'failed', 'skipped']),
        ms: whole.max(3_600_000).nullable(),
        message: plain(2_000),
        advice: plain(2_000),
        says: Told.optional(),
      }),
    )
    .max(CHECK_STEPS.length),
  credentialExpiresAt: time.nullable(),
})

/** How a task ended. `released`: not at all; somebody else, or the same later, shall do it. */
export const Result = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('checked'), report: Report }),
  z.strictObject({
    kind: z.literal('listed'),
    /** Why the list has gaps. */
    problem: plain(1_000).optional(),
    problemSays: Told.optional(),
    /** Why it is not by the registry's own API. */
    note: plain(1_000).optional(),
    noteSays: Told.optional(),
  }),
  z.strictObject({
    kind: z.literal('read'),
    images: whole,
    manifestsRead: whole,
    /** Of the first tag that could not be read. */
    failure: Failure.optional(),
  }),
  z.strictObject({
    kind: z.literal('copied'),
    progress: Progress,
    /** Of what the tag of the target points at: not what was asked for where an index is rewritten. */
    root: digest.optional(),
  }),
  z.strictObject({ kind: z.literal('failed'), failure: Failure }),
  z.strictObject({ kind: z.literal('released') }),
])

export type RunnerPublicKey = z.output<typeof PublicKey>
export type CopyProgress = z.output<typeof Progress>
export type RunnerFailure = z.output<typeof Failure>
export type RunnerTaskView = z.output<typeof Task>
export type RunnerWork = z.output<typeof Work>
export type RunnerPage = z.output<typeof Page>
export type RunnerResult = z.output<typeof Result>
export type RunnerTaskRegistry = z.output<typeof TaskRegistry>
