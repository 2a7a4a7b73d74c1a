import { z } from 'zod'
import { isAppError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { hashSecret } from '../../lib/secrets.ts'
import type { HubClient } from './hub-client.ts'
import { newCredential, type RunnerState, saveState } from './runner-state.ts'

/** What a runner that has enrolled says to the hub, with whichever credential is good. */
export interface HubSession {
  state(): RunnerState
  /** After it has enrolled anew. */
  replace(state: RunnerState): void
  /** As `HubClient.call`. @throws AppError */
  ask<S extends z.ZodType>(
    path: string,
    body: object,
    answer: S,
    options?: { signal?: AbortSignal | undefined; limitMs?: number },
  ): Promise<z.output<S>>
  /** Changes the credential, unless it is being changed already. */
  rotate(): Promise<void>
}

export function createHubSession(
  { hub, folder, log }: { hub: HubClient; folder: string; log: Log },
  initial: RunnerState,
): HubSession {
  let state = initial
  /** The hub is being told of the next credential. */
  let rotating = false

  async function settle(next: string, change: Partial<RunnerState>): Promise<void> {
    if (state.nextCredential !== next) return
    state = { ...state, ...change }
    await saveState(folder, state)
  }

  return {
    state: () => state,
    replace(other) {
      state = other
    },

    async ask(path, body, answer, options = {}) {
      const call = (credential: string) => hub.call(path, body, { ...options, answer, credential })
      for (;;) {
        // The newer one first, if the hub may know it already.
        const { nextCredential: next, credential } = state
        const used = rotating ? credential : (next ?? credential)
        try {
          const found = await call(used)
          if (used === next) await settle(next, { credential: next, nextCredential: null })
          return found
        } catch (error) {
          if (!isAppError(error, 'unauthenticated')) throw error
          if (used === next) {
            const found = await call(credential)
            // The hub never heard of the other one.
            await settle(next, { nextCredential: null })
            return found
          }
          // Another call has brought the next one into use while this one was on its way.
          if (state.credential === used && (state.nextCredential ?? used) === used) throw error
        }
      }
    },

    async rotate() {
      if (rotating || state.nextCredential !== null) return
      const next = newCredential()
      rotating = true
      try {
        state = { ...state, nextCredential: next }
        // Before the hub knows it, so that it cannot be lost between.
        await saveState(folder, state)
        const { credential } = state
        const body = { credentialHash: hashSecret(next) }
        await hub.call('/self/credential', body, { answer: z.undefined(), credential })
        log.info('credential rotated')
      } finally {
        rotating = false
      }
    },
  }
}
