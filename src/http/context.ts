import type { Principal } from '../accounts/principal.ts'

/** One request, as every face sees it. */
export interface RequestContext {
  request: Request
  method: string
  /** Not decoded; `..` is resolved by Bun. What is authorised is what is dispatched. */
  path: string
  query: URLSearchParams
  /** Of the client; behind a trusted proxy the address that it names. */
  address: string
  requestId: string
  /** `https://registry.example`, as the client sees us. */
  origin: string
  /** As the client named us in this request: `registry.example:8443`. */
  host: string
  /** Name of the route, for the log and the metrics. */
  route: string
  /** Who asks, for the log; set when it is known. */
  principal?: Principal
  /** Somebody looks whether we are well, again and again: not worth a line of the usual log. */
  isProbe?: boolean
  /** Bytes of the body that arrived, for the log and the metrics. */
  received: number
  /** Lifts the limit on idle time: for uploads and for answers that a slow client reads. */
  keepOpen(): void
}

/** A family of paths with its own form of answers and errors. */
export interface Face {
  handle(context: RequestContext): Promise<Response> | Response
  /** Every failure of `handle`, in the form of the face. */
  renderError(error: unknown, context: RequestContext): Response
  /** Ends the answers that would not end by themselves. */
  stop?(): void
}
