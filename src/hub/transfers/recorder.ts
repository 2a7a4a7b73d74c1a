import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import type { Says } from '../../lib/reasons.ts'
import type { Digest } from '../../oci/digest.ts'
import type { BlobState, CopyCheckpoint, CopyObserver } from './copy-types.ts'
import type { BlobProgress } from './transfer.ts'

/** A row is read and written as a whole: what it tells of blobs is bounded. */
const SHOWN_BLOBS = 100
const SHOWN_NOTES = 20
/** Beyond these the target is asked again, which costs a request each. */
const REMEMBERED_BLOBS = 2_000
const SPEED_WINDOW_MS = 5_000

const DONE = ['sent', 'skipped', 'mounted'] as const

const checkpointSchema = z.object({
  done: z.array(z.tuple([z.string(), z.enum(DONE)])),
  sessions: z.record(z.string(), z.string()),
})

/** How far the copy is, as the row says it. */
export interface RecordedProgress {
  manifests: number
  blobs: BlobProgress[]
  blobsTotal: number
  blobsDone: number
  bytesTotal: number
  bytesSent: number
  bytesSkipped: number
  bytesMounted: number
  /** Bytes per second over the last seconds. */
  speed: number
  notes: string[]
  /** The same for the console. */
  noteSays: Says[]
}

export interface TransferRecorder {
  observer: CopyObserver
  checkpoint: CopyCheckpoint
  /** undefined until it is known what there is to do. */
  progress(): RecordedProgress | undefined
  /** What the tag stood for; undefined until it was looked up. */
  digest(): Digest | undefined
  /** What the next run needs; text that holds capabilities. */
  checkpointText(): string
  /** Bytes that are at the target by the doing of this transfer. */
  arrived(): number
  /** Asks the target again for everything. False: nothing was taken from the run before. */
  forgetDone(): boolean
}

/** Gathers what a copy tells; `save` writes it down so that it survives the process. */
export function createRecorder({
  clock,
  restored,
  save,
}: {
  clock: Clock
  /** `checkpointText` of the run before. */
  restored: string | undefined
  save: () => Promise<void>
}): TransferRecorder {
  const blobs = new Map<Digest, BlobProgress & { digest: Digest }>()
  const done = new Map<Digest, (typeof DONE)[number]>()
  const sessions = new Map<Digest, string>()
  const begun = new Set<Digest>()
  const notes = new Map<string, Says>()
  const samples: { at: number; bytes: number }[] = []
  let digest: Digest | undefined
  let manifests = 0
  let isPlanned = false
  let wasRestored = false
  restore()

  function restore(): void {
    if (restored === undefined) return
    const found = checkpointSchema.safeParse(JSON.parse(restored))
    if (!found.success) return
    wasRestored = found.data.done.length > 0
    for (const [blob, state] of found.data.done) done.set(blob as Digest, state)
    for (const [blob, session] of Object.entries(found.data.sessions)) {
      sessions.set(blob as Digest, session)
      begun.add(blob as Digest)
    }
  }

  function sum(...states: BlobState[]): number {
    let bytes = 0
    for (const blob of blobs.values()) if (states.includes(blob.state)) bytes += blob.bytes
    return bytes
  }

  function speed(): number {
    const now = clock()
    samples.push({ at: now, bytes: sum('sent', 'running') })
    while ((samples[0]?.at ?? now) < now - SPEED_WINDOW_MS && samples.length > 2) samples.shift()
    const [first] = samples
    const last = samples.at(-1)
    if (!first || !last || last.at === first.at) return 0
    return Math.max(0, Math.round(((last.bytes - first.bytes) * 1000) / (last.at - first.at)))
  }

  const RANK: Record<BlobState, number> = {
    running: 0,
    waiting: 1,
    sent: 2,
    mounted: 3,
    skipped: 4,
  }

  function shown(): BlobProgress[] {
    return [...blobs.values()]
      .sort((a, b) => RANK[a.state] - RANK[b.state] || b.size - a.size)
      .slice(0, SHOWN_BLOBS)
      .map((blob) => ({ ...blob }))
  }

  return {
    observer: {
      resolved(found) {
        digest = found
      },
      planned(plan) {
        manifests = plan.manifests
        isPlanned = true
        for (const blob of plan.blobs) {
          const state = done.get(blob.digest)
          blobs.set(blob.digest, {
            ...blob,
            state: state ?? 'waiting',
            bytes: state ? blob.size : 0,
          })
        }
      },
      blob(which, state, bytes) {
        const blob = blobs.get(which)
        if (!blob) return
        // What this transfer had begun to send is not somebody else's.
        blob.state = state === 'skipped' && begun.has(which) ? 'sent' : state
        blob.bytes = bytes
        if (state === 'running') begun.add(which)
      },
      note(sentence, says) {
        if (notes.size < SHOWN_NOTES) notes.set(sentence, says)
      },
    },
    checkpoint: {
      isDone: (which) => done.has(which),
      done(which) {
        const state = DONE.find((one) => one === blobs.get(which)?.state)
        if (state && done.size < REMEMBERED_BLOBS) done.set(which, state)
        sessions.delete(which)
      },
      sessionOf: (which) => sessions.get(which),
      async saveSession(which, session) {
        if (sessions.get(which) === session) return
        sessions.set(which, session)
        await save()
      },
    },
    digest: () => digest,
    progress() {
      if (!isPlanned) return undefined
      const all = [...blobs.values()]
      return {
        manifests,
        blobs: shown(),
        blobsTotal: all.length,
        blobsDone: all.filter(({ state }) => DONE.some((one) => one === state)).length,
        bytesTotal: all.reduce((total, { size }) => total + size, 0),
        bytesSent: sum('sent', 'running'),
        bytesSkipped: sum('skipped'),
        bytesMounted: sum('mounted'),
        speed: speed(),
        notes: [...notes.keys()],
        noteSays: [...notes.values()],
      }
    },
    checkpointText: () =>
      JSON.stringify({ done: [...done], sessions: Object.fromEntries(sessions) }),
    arrived: () => sum('sent', 'running', 'mounted'),
    forgetDone() {
      done.clear()
      return wasRestored
    },
  }
}
