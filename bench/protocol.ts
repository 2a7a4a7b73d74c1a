import type { Endpoint } from './http.ts'

/** What the conductor says to the generator. */
export type Order =
  | {
      type: 'prepare'
      /** One life of one server: what was seeded is remembered by this. */
      stage: string
      endpoint: Endpoint
      verify: boolean
      /** Of `Server`. */
      database: string | null
      prefix: string
      workload: string
      run: string
      count: number
    }
  | { type: 'go' }
  | { type: 'quit' }

export type Answer =
  | { type: 'ready' }
  | { type: 'skipped' }
  | { type: 'failed'; message: string }
  | ({ type: 'done' } & GeneratorFigures)

export type GeneratorFigures = {
  operations: number
  seconds: number
  mebibytes: number
  /** Milliseconds an operation took. */
  p50: number
  p95: number
  p99: number
  /** CPU seconds of the generator while the clock ran. */
  cpuSeconds: number
}
