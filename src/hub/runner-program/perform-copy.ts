import { z } from 'zod'
import { sleep as realSleep, type Sleep } from '../../client/waiting.ts'
import { retryDelay } from '../../jobs/job.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError } from '../../lib/errors.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'
import type { Registry } from '../../oci/registry.ts'
import {
  type CopyProgress,
  CopyToken,
  type RunnerResult,
  type RunnerTaskView,
  type RunnerWork,
} from '../runners/protocol.ts'
import { copyImage } from '../transfers/copy-image.ts'
import { isBlobMissing } from '../transfers/failures.ts'
import { parsePlatform } from '../transfers/platforms.ts'
import { createRecorder } from '../transfers/recorder.ts'
import type { PerformDeps } from './perform-task.ts'
import { plainText, saysOf } from './wire-values.ts'

const TELL_MS = 1_000
/** How often in a row a copy goes on by itself after the hub failed; each waits until it answers. */
const HUB_TRIES = 10
/** The same where the target has not what it had; a registry may say so of one that it never takes. */
const MISSING_TRIES = 3
const BACK_OFF = { firstDelayMs: 1_000, maxDelayMs: 30_000 }
/** Longer ones are the hub's: it can wait without a place at the runner. */
const LONGEST_PAUSE_MS = 60_000
/** Of a token's life: what begins with it shall not outlive it. */
const FRESH_PART = 0.4

export type CopyTask = RunnerTaskView & { work: Extract<RunnerWork, { kind: 'copy' }> }

interface CopyDeps extends Pick<PerformDeps, 'tell' | 'clock' | 'log' | 'copyNotes'> {
  hubRegistry(...of: Parameters<PerformDeps['hubRegistry']>): Registry
  sleep?: Sleep
}

/**
 * Copies an image between the registry and another one, or the hub's own `/v2`, with a token for that
 * one repository there. What has arrived before a copy was cut off is not sent again.
 */
export async function performCopy(
  { tell, clock, log, hubRegistry, copyNotes, sleep = realSleep }: CopyDeps,
  task: CopyTask,
  { remote, other }: { remote: Registry; other: Registry | undefined },
  signal: AbortSignal,
): Promise<RunnerResult> {
  const { work, registry } = task
  const { source, target, direction } = work
  const asked = parseReference(source.reference)
  if (!asked) throw new AppError('invalid_input', 'the hub names no tag and no digest')
  const first: Reference = asked
  const ends = [registry.name, task.other?.name ?? 'self']
  const [fromName, toName] = direction === 'in' ? ends : ends.reverse()
  const what = [direction, registry.id, target, ...(work.other === undefined ? [] : [work.other])]
  const note = await copyNotes.of(work.transfer, JSON.stringify(what))
  const recorder = createRecorder({ clock, restored: note.found, save: keep })

  /** Where it cannot be kept the copy goes on: it would only begin anew if it is cut off. */
  async function keep(): Promise<void> {
    await note.write(recorder.checkpointText()).catch((error: unknown) => {
      log.warn('state of a copy not kept', { task: task.id, error })
    })
  }

  const progressOf = (): CopyProgress | undefined => {
    const progress = recorder.progress()
    return (
      progress && {
        ...progress,
        digest: recorder.digest() ?? null,
        notes: progress.notes.map((note) => plainText(note, 500)),
        noteSays: progress.noteSays.map(saysOf),
      }
    )
  }
  const tellProgress = async () => {
    const progress = progressOf()
    if (!progress) return
    await tell(task, 'pages', { page: { kind: 'progress', progress } }, z.undefined(), signal)
  }

  let telling: Promise<void> | undefined
  const timer = setInterval(() => {
    // One at a time: where the hub is away for hours they would all wait for it. What cannot be told
    // shows in the next call that matters.
    telling ??= tellProgress()
      .catch(() => {})
      .finally(() => {
        telling = undefined
      })
    void keep()
  }, TELL_MS)

  async function copy(end: Registry): Promise<string> {
    const [from, to] = direction === 'in' ? [remote, end] : [end, remote]
    // A tag that moves meanwhile changes nothing.
    const resolved = recorder.digest()
    const reference: Reference = resolved ? { kind: 'digest', digest: resolved } : first
    const { digest } = await copyImage({
      source: {
        registry: from,
        repository: source.repository,
        label: `${fromName}:${source.repository}`,
        reference,
      },
      target: {
        registry: to,
        repository: target.repository,
        label: `${toName}:${target.repository}`,
        ...(target.tag === null ? {} : { tag: target.tag }),
      },
      ...(work.platforms.length > 0 ? { platforms: work.platforms.map(parsePlatform) } : {}),
      index: work.index,
      referrers: work.referrers,
      overwrite: work.overwrite,
      mountFrom: work.other === registry.id ? [source.repository] : [],
      signal,
      checkpoint: recorder.checkpoint,
      observer: recorder.observer,
    })
    return digest
  }

  /** The hub may restart meanwhile: then it goes on with what has arrived, once the hub hears. */
  async function copyToTheEnd(): Promise<string> {
    let [missing, troubles, most] = [0, 0, 0]
    for (;;) {
      let isHubTroubled = false
      const onTrouble = () => {
        isHubTroubled = true
      }
      const end = other ?? hubRegistry(freshToken(tell, task, clock, signal), onTrouble)
      try {
        return await copy(end)
      } catch (error) {
        signal.throwIfAborted()
        // As long as more gets through nothing is in vain.
        if (recorder.arrived() > most) troubles = 0
        most = Math.max(most, recorder.arrived())
        // What was there when it was noted is gone: everything is asked for again.
        const isMissing = isBlobMissing(error) && recorder.forgetDone()
        if (!isMissing && !isHubTroubled) throw error
        const times = isMissing ? ++missing : ++troubles
        const pause = retryDelay(BACK_OFF, times, error)
        if (times > (isMissing ? MISSING_TRIES : HUB_TRIES) || pause > LONGEST_PAUSE_MS) throw error
        log.warn('copy broken off', { task: task.id, error, pause })
        await sleep(pause, signal)
      }
    }
  }

  let root: string
  try {
    root = await copyToTheEnd()
  } finally {
    clearInterval(timer)
    await telling
    await keep()
  }
  const progress = progressOf()
  if (!progress) throw new AppError('internal', 'the copy ended without a plan')
  await note.remove()
  return { kind: 'copied', progress: { ...progress, speed: 0 }, root }
}

/** The same token until a part of its life is over. */
function freshToken(
  tell: PerformDeps['tell'],
  task: RunnerTaskView,
  clock: Clock,
  signal: AbortSignal,
): () => Promise<string> {
  let known: Promise<{ token: string; until: number }> | undefined
  async function ask() {
    const { token, expiresIn } = await tell(task, 'token', {}, CopyToken, signal)
    return { token, until: clock() + expiresIn * 1_000 * FRESH_PART }
  }
  return async () => {
    const found = await known?.catch(() => undefined)
    if (found && found.until > clock()) return found.token
    known = ask()
    return (await known).token
  }
}
