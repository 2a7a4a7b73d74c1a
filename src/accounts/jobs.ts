import { z } from 'zod'
import { defineJob, type Job } from '../jobs/job.ts'
import type { Accounts } from './accounts.ts'

/** Removes expired tokens and old sign-in failures, and changes an old signing key. */
export function createAccountsJob(accounts: Pick<Accounts, 'sweep'>): Job {
  return defineJob({
    name: 'accounts.sweep',
    schema: z.object({}),
    run: () => accounts.sweep(),
  })
}
