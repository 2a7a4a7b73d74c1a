import { z } from '@hono/zod-openapi'
import type { Action } from '../../accounts/permissions.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { AuditDetails } from '../../events/audit.ts'
import type { RunnerIdentity } from '../../hub/runners/access.ts'
import type { RepositoryName } from '../../oci/reference.ts'
import type { Project } from '../../registry/projects.ts'
import type { Tx } from '../../store/db/database.ts'
import type { RequestContext } from '../context.ts'
import { parseInput } from './input.ts'

/*
 * A route is data: the router, the gate, the OpenAPI document and the generated tests all read the
 * same table. A handler sees only what passed the route's permission and its schemas.
 */

/**
 * `open`: everybody, also without signing in; the answer holds only what the caller may see.
 * `runner`: a runner, with its own credential, which is good for nothing else.
 */
type Permission = Action | 'open' | 'signed-in' | 'runner'

/** What the permission is asked for: the `{project}` or the `{repository}` in the path, or none. */
type Scope = 'system' | 'project' | 'repository' | 'runner'

type Shape = z.core.$ZodLooseShape

export interface ApiRoute<
  P extends Shape = Shape,
  Q extends Shape = Shape,
  B extends Shape = Shape,
  O extends z.ZodType = z.ZodType,
  S extends Scope = Scope,
> {
  /** Object and verb: in the log, the metrics, the audit, and as `operationId`. */
  name: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`; parameters as `{project}`. */
  path: string
  summary: string
  permission: Permission
  on: S
  /** Of a success. */
  status: 200 | 201 | 204
  /** Parameters of the path other than `{project}` and `{repository}`. */
  params: z.ZodObject<P>
  query: z.ZodObject<Q>
  body: z.ZodObject<B>
  takesBody: boolean
  output: O
  /** The answer has an ETag, or the change takes `If-Match`. */
  versioned: boolean
  /** The answer goes on for as long as somebody reads: Server-Sent Events. */
  streams: boolean
  /** A body that is right, for the document and the generated tests. */
  sample: Record<string, unknown> | undefined
}

interface RouteSpec<P, Q, B, O, S> {
  name: string
  method: ApiRoute['method']
  path: string
  summary: string
  permission: Permission
  on: S
  params?: P
  query?: Q
  body?: B
  /** None: 204. */
  output?: O
  /** Answers 201. */
  creates?: true
  versioned?: true
  streams?: true
  sample?: Record<string, unknown>
}

/** Unknown fields are refused everywhere: there is no other way to declare an input. */
export function route<
  S extends Scope,
  P extends Shape = Record<never, never>,
  Q extends Shape = Record<never, never>,
  B extends Shape = Record<never, never>,
  O extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<P, Q, B, O, S>): ApiRoute<P, Q, B, O, S> {
  const { params, query, body, output, creates, versioned, streams, sample, ...rest } = spec
  return {
    ...rest,
    status: output === undefined ? 204 : creates ? 201 : 200,
    // The path itself says which there are; those of the gate are left out.
    params: z.object(params ?? ({} as P)),
    query: z.strictObject(query ?? ({} as Q)),
    body:
      spec.method === 'PATCH'
        ? z.strictObject(body ?? ({} as B)).refine((change) => Object.keys(change).length > 0, {
            error: `nothing to change: give at least one of ${Object.keys(body ?? {}).join(', ')}`,
          })
        : z.strictObject(body ?? ({} as B)),
    takesBody: body !== undefined,
    output: output ?? (z.undefined() as z.ZodType as O),
    versioned: versioned ?? false,
    streams: streams ?? false,
    sample,
  }
}

/** What the path of a route stands for, read now. */
export type Target<S extends Scope> = S extends 'system'
  ? unknown
  : S extends 'project'
    ? { project: Project }
    : S extends 'runner'
      ? { runner: RunnerIdentity }
      : { project: Project; name: RepositoryName }

/** A change as the audit tells it; who, when, from where and in which project is known. */
export interface Change {
  resource: string
  details?: AuditDetails
  /** Where the path of the route has none. */
  project?: number
}

/** A request that may do what its route is for. */
interface Entered {
  context: RequestContext
  principal: Principal
  /** Of `If-Match`: the change is refused when it is out of date. */
  version: number | undefined
  /** Writes the audit's entry, in the transaction of the change. */
  audit: WriteAudit
  /** The same for somebody who was not known when the request came. */
  auditAs(actor: Principal): WriteAudit
}

type WriteAudit = (tx: Tx, change: Change) => Promise<void>

/** What came in, not yet checked against the schemas of the route. */
export interface RawRequest extends Entered {
  params: Record<string, string>
  query: Record<string, string>
  body: unknown
  target: object
}

export interface Reply<T> {
  body: T
  /** Becomes the ETag. */
  version?: number
  /** Of what was created, below `/api/v1`. */
  location?: string
  /** `after` of the next page. */
  next?: string | undefined
  /** `Set-Cookie`. */
  cookie?: string | undefined
  /** In place of the body. */
  stream?: ReadableStream<Uint8Array>
}

/** Answers 204. */
export const NOTHING: Reply<undefined> = { body: undefined }

/** A route with what answers it. */
export interface Endpoint {
  route: ApiRoute
  run(request: RawRequest): Promise<Reply<unknown>>
}

export function endpoint<
  P extends Shape,
  Q extends Shape,
  B extends Shape,
  O extends z.ZodType,
  S extends Scope,
>(
  route: ApiRoute<P, Q, B, O, S>,
  handle: (
    request: Entered & {
      params: z.output<z.ZodObject<P>>
      query: z.output<z.ZodObject<Q>>
      body: z.output<z.ZodObject<B>>
    } & Target<S>,
  ) => Promise<Reply<z.input<O>>>,
): Endpoint {
  return {
    route,
    async run({ target, params, query, body, ...entered }) {
      const reply = await handle({
        ...entered,
        params: parseInput(route.params, params, 'the path'),
        query: parseInput(route.query, query, 'the query'),
        body: parseInput(route.body, body, 'the body'),
        // The gate has read what the route's scope says.
        ...(target as Target<S> & object),
      })
      // Nothing leaves that the route does not declare, whatever the handler was given.
      return { ...reply, body: route.output.parse(reply.body) }
    },
  }
}

/** A route whose answer is written as things happen. HEAD gets no more than the headers. */
export function streamEndpoint<Q extends Shape, O extends z.ZodType>(
  route: ApiRoute<Record<never, never>, Q, Record<never, never>, O, 'system'>,
  open: (
    request: Entered & { query: z.output<z.ZodObject<Q>> },
  ) => Promise<ReadableStream<Uint8Array>>,
): Endpoint {
  return {
    route,
    async run({ query, ...entered }) {
      const parsed = parseInput(route.query, query, 'the query')
      if (entered.context.method === 'HEAD') return NOTHING
      return { ...NOTHING, stream: await open({ ...entered, query: parsed }) }
    },
  }
}
