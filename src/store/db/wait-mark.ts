import { closeSync, openSync, statSync, utimesSync } from 'node:fs'

/** How long one mark speaks for the process that set it; it is set again while it waits. */
const MARK_MS = 5

export interface WaitMark {
  /** Says that this process waits for the write lock, for the next `ms` milliseconds. */
  wait(ms?: number): void
  /** True while another process waits: let it have the lock before taking it again. */
  othersWait(): boolean
}

/**
 * SQLite gives its write lock to whoever asks at the right moment, and a process that writes all
 * the time asks again within microseconds of its commit, so that the others would hardly ever find
 * the lock free. Those who wait say so in the modification time of a file beside the database: one
 * `stat` for each outer transaction tells a busy process to step aside for a moment.
 */
export function openWaitMark(file: string): WaitMark {
  let own = 0
  closeSync(openSync(file, 'a', 0o600))
  return {
    wait(ms = MARK_MS) {
      own = Date.now() + ms
      try {
        utimesSync(file, own / 1000, own / 1000)
      } catch {
        // Without the mark the lock is taken by luck, which is slower but not wrong.
      }
    },
    othersWait() {
      const until = Math.round(statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
      return until !== own && until > Date.now()
    },
  }
}
