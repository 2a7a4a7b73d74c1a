/** Sends a request to an address that a user gave; see `createGuardedFetch`. */
export type GuardedFetch = (url: string, options?: GuardedRequest) => Promise<Response>

export interface GuardedRequest {
  method?: string
  headers?: Record<string, string>
  body?: Uint8Array | string | ReadableStream<Uint8Array>
  signal?: AbortSignal | undefined
}
