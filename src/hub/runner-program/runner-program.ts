import { z } from 'zod'
import { createClientMemory } from '../../client/client-memory.ts'
import type { Clock } from '../../lib/clock.ts'
import { AppError, isAppError } from '../../lib/errors.ts'
import type { GuardedFetch } from '../../lib/guarded-fetch.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secrets.ts'
import {
  EnrolAnswer,
  HeldAnswer,
  LeaseAnswer,
  LONGEST_WAIT,
  type RunnerResult,
  type RunnerTaskView,
} from '../runners/protocol.ts'
import { createCopyNotes } from './copy-notes.ts'
import type { HubClient } from './hub-client.ts'
import { createHubRegistry } from './hub-registry.ts'
import { createHubSession } from './hub-session.ts'
import { createPerformTask } from './perform-task.ts'
import { loadState, type RunnerState, saveState } from './runner-state.ts'
import { failureOf } from './wire-values.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000
const LAST_WORDS_MS = 3_000

export interface RunnerProgramDeps {
  hub: HubClient
  /** The hub's address, which stands in the state. */
  hubUrl: string
  folder: string
  /** What is in the token file now; undefined: there is none. */
  readToken(): Promise<string | undefined>
  fetch: GuardedFetch
  /** PEM; the only roots by which the hub is trusted. */
  caCertificate: string | undefined
  clock: Clock
  log: Log
  version: string
  userAgent: string
  atOnce: number
  only: readonly string[]
}

/**
 * Runs until `stop` aborts: enrols where it has to, takes work, does it, tells what came of it. What
 * it is at when it stops goes back to the hub.
 * @throws AppError unauthenticated when the hub does not know it and there is no token to enrol with
 */
export async function runRunner(deps: RunnerProgramDeps, stop: AbortSignal): Promise<void> {
  const { folder, log, version, atOnce } = deps
  const session = createHubSession(deps, await enrolled(deps, await loadState(folder), stop))
  const { ask } = session
  const running = new Map<number, Running>()
  const perform = createPerformTask({
    ...deps,
    privateKey: session.state().privateKey,
    copyNotes: await createCopyNotes(folder, deps.clock),
    tell,
    hubRegistry: (token, onTrouble) =>
      createHubRegistry({
        ...deps,
        url: deps.hubUrl,
        token,
        memory: createClientMemory(deps),
        onTrouble,
      }),
  })
  /** What is left to say when the program stops is said soon or never. */
  const end = new AbortController()
  stop.addEventListener('abort', () => setTimeout(() => end.abort(), LAST_WORDS_MS).unref())
  /** Ends the wait for work when a place becomes free. */
  let wake = new AbortController()

  /** Tells the hub something of a task until it is heard, or the task is not ours any more. */
  async function tell<S extends z.ZodType>(
    task: RunnerTaskView,
    path: 'known' | 'pages' | 'token' | 'result',
    body: object,
    answer: S,
    signal: AbortSignal,
  ): Promise<z.output<S>> {
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      signal.throwIfAborted()
      try {
        const told = { epoch: task.epoch, ...body }
        return await ask(`/self/tasks/${task.id}/${path}`, told, answer, { signal })
      } catch (error) {
        if (isAppError(error, 'conflict')) {
          const run = running.get(task.id)
          if (run?.epoch === task.epoch) run.lose()
        }
        if (!isAppError(error, 'unavailable')) throw error
        log.warn('hub not reached', { reason: error.message })
        await pauseFor(pause, signal)
      }
    }
  }

  function begin(task: RunnerTaskView): void {
    const lost = new AbortController()
    const signal = AbortSignal.any([lost.signal, stop])
    const told = {
      task: task.id,
      epoch: task.epoch,
      kind: task.work.kind,
      registry: task.registry.id,
    }
    // It may come again before the former run has noticed that it lost it.
    const former = running.get(task.id)
    former?.lose()
    const ended = work().catch((error: unknown) => {
      log.error('task failed in an unforeseen way', { ...told, error })
    })
    const run: Running = {
      epoch: task.epoch,
      kind: task.work.kind,
      lose: () => lost.abort(new AppError('conflict', 'the task was given to somebody else')),
      ended: ended.then(() => {
        // It may have come again meanwhile.
        if (running.get(task.id) === run) running.delete(task.id)
        wake.abort()
      }),
    }
    running.set(task.id, run)

    async function work(): Promise<void> {
      await former?.ended
      const begun = performance.now()
      let result: RunnerResult
      try {
        result = await perform(task, signal)
      } catch (error) {
        if (lost.signal.aborted) return log.warn('task lost', told)
        if (!stop.aborted && !isAppError(error)) log.error('task failed', { ...told, error })
        result = stop.aborted ? { kind: 'released' } : { kind: 'failed', failure: failureOf(error) }
      }
      const ms = Math.round(performance.now() - begun)
      if (await deliver(result)) log.info('task ended', { ...told, result: result.kind, ms })
      else log.warn('task lost', told)
    }

    async function deliver(result: RunnerResult): Promise<boolean> {
      const until = AbortSignal.any([lost.signal, end.signal])
      try {
        await tell(task, 'result', { result }, z.undefined(), until)
        return true
      } catch (error) {
        if (isAppError(error, 'conflict', 'unauthenticated') || until.aborted) return false
        throw error
      }
    }
  }

  const held = () => [...running].map(([id, { epoch }]) => ({ id, epoch }))
  const forgetLost = (ids: readonly number[]) => {
    for (const id of ids) running.get(id)?.lose()
  }

  /** While all places are taken: that the work is kept. @returns when to say so again */
  async function keep(leaseMs: number): Promise<void> {
    const { lost } = await ask('/self/heartbeat', { held: held() }, HeldAnswer, { signal: stop })
    forgetLost(lost)
    await pauseFor(leaseMs / 4, AbortSignal.any([stop, wake.signal]))
  }

  async function takeWork(begins: boolean): Promise<z.output<typeof LeaseAnswer>> {
    const busy = running.size > 0
    const copying = [...running.values()].filter(({ kind }) => kind === 'copy').length
    const body = {
      begins,
      held: held(),
      slots: atOnce - running.size,
      // One place is for what is done in a moment.
      copies: Math.max(0, Math.max(1, atOnce - 1) - copying),
      // Who has work in hand says so again before its lease ends.
      wait: busy ? 4 : LONGEST_WAIT,
      version,
    }
    const answer = await ask('/self/lease', body, LeaseAnswer, {
      signal: stop,
      limitMs: (LONGEST_WAIT + 20) * 1_000,
    })
    forgetLost(answer.lost)
    for (const task of answer.tasks) begin(task)
    return answer
  }

  let begins = true
  let leaseMs = 20_000
  let pause = FIRST_PAUSE_MS
  if (deps.hubUrl.startsWith('http:')) log.warn('the hub is spoken to without TLS')
  log.info('runner started', { runner: session.state().id, hub: deps.hubUrl })
  while (!stop.aborted) {
    wake = new AbortController()
    try {
      if (running.size >= atOnce) await keep(leaseMs)
      else {
        const answer = await takeWork(begins)
        begins = false
        leaseMs = answer.leaseMs
        if (answer.rotate) await session.rotate()
      }
      pause = FIRST_PAUSE_MS
    } catch (error) {
      if (stop.aborted) break
      if (isAppError(error, 'unauthenticated')) {
        session.replace(await enrolled(deps, session.state(), stop, true))
      } else if (isAppError(error)) log.warn('hub not reached', { reason: error.message })
      else throw error
      await pauseFor(pause, stop)
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    }
  }
  await Promise.allSettled([...running.values()].map(({ ended }) => ended))
  log.info('runner stopped')
}

interface Running {
  epoch: number
  kind: RunnerTaskView['work']['kind']
  lose(): void
  ended: Promise<void>
}

/** The state after it has enrolled, now or before. */
async function enrolled(
  deps: RunnerProgramDeps,
  found: RunnerState,
  stop: AbortSignal,
  isRefused = false,
): Promise<RunnerState> {
  const { hub, hubUrl, folder, log, version } = deps
  const token = await deps.readToken()
  const isNew = token !== undefined && hashSecret(token) !== found.usedToken
  if (found.id !== null && !isRefused) return demandSameHub(found, hubUrl)
  if (token === undefined || !isNew) {
    throw new AppError(
      'unauthenticated',
      isRefused
        ? 'the hub does not know this runner any more; put a new enrolment token into the token file'
        : 'this runner has not enrolled yet: --token-file must name a file with an enrolment token',
    )
  }
  const { d: _, ...publicKey } = found.privateKey
  const state = { ...found, nextCredential: null }
  // Before the hub knows the credential, so that it cannot be lost between.
  await saveState(folder, state)
  const body = { token, publicKey, credentialHash: hashSecret(state.credential), version }
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      const options = { answer: EnrolAnswer, credential: null, signal: stop }
      const { id } = await hub.call('/enrol', body, options)
      const done = { ...state, id, hub: hubUrl, usedToken: hashSecret(token) }
      await saveState(folder, done)
      log.info('runner enrolled', { runner: id, hub: hubUrl })
      return done
    } catch (error) {
      if (!isAppError(error, 'unavailable')) throw error
      log.warn('hub not reached', { reason: error.message })
      await pauseFor(pause, stop)
      stop.throwIfAborted()
    }
  }
}

/** What was enrolled with one hub is nothing to another. */
function demandSameHub(state: RunnerState, hubUrl: string): RunnerState {
  if (state.hub === hubUrl) return state
  throw new AppError(
    'invalid_input',
    `this data folder belongs to a runner of ${state.hub}; give the runner of ${hubUrl} a folder of its own with --data`,
  )
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(end, ms)
    function end() {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end)
  })
}
