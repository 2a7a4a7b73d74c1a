import { systemClock } from '../lib/clock.ts'
import type { ProcessContext } from '../lib/process.ts'
import { oldestChange } from '../registry/journal/changes.ts'
import { createJournalWriter, type JournalWriter } from '../registry/journal/writer.ts'
import type { Parts } from './parts.ts'

/** Keeps the journal in the store up to date, and tells how far it is behind. */
export function startJournal(
  { db, journal }: Parts,
  { log, metrics }: ProcessContext,
): JournalWriter {
  let lag = 0
  metrics.gauge({
    name: 'journal_lag_seconds',
    help: 'Age of the oldest change that the journal in the store does not have yet.',
    async read() {
      try {
        const at = await oldestChange(db.query)
        lag = at === undefined ? 0 : Math.max(0, (systemClock() - at) / 1000)
      } catch {
        // Without the database the other metrics are still worth reading.
      }
      return lag
    },
  })
  const writer = createJournalWriter({ db, store: journal, clock: systemClock, log })
  writer.start()
  return writer
}
