import { z } from 'zod'
import type { JobType } from '../../jobs/job.ts'

export const transferPayload = z.object({ transfer: z.int() })

/** Failures are counted in the transfer itself; these are only for crashes. */
export const transferJobType: JobType<typeof transferPayload> = {
  name: 'transfer',
  schema: transferPayload,
  retry: { attempts: 1_000 },
}
