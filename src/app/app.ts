import type { ProcessLoaders } from '../lib/process.ts'

/*
 * The composition root: every part is built here, once, by hand, and handed to those who need it.
 * `parts.ts` has what all processes share, `faces.ts` and `background.ts` what each kind adds. A
 * process loads what its own kind needs and no more: what is loaded stays in memory for good.
 */

export const processes: ProcessLoaders = {
  prepare: async () => (await import('./prepare.ts')).prepare,
  worker: async () => (await import('./worker-process.ts')).startWorker,
  jobs: async () => (await import('./jobs-process.ts')).startJobs,
}
