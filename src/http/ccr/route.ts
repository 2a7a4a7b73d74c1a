import { z } from '@hono/zod-openapi'
import type { Action } from '../../accounts/permissions.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { AuditDetails } from '../../events/audit.ts'
import type { RepositoryName } from '../../oci/reference.ts'
import type { Project } from '../../registry/projects.ts'
import type { Tx } from '../../store/db/database.ts'
import type { RequestContext } from '../context.ts'
import { checkInput } from './input.ts'
import { withoutIgnored } from './paging.ts'

/*
 * The calls of CCR as data: the router, the gate, the OpenAPI document and the tests read the same
 * table.
 */

type Shape = z.core.$ZodLooseShape

/** What the permission is asked for: the path's project, its repository, or neither. */
type Scope = 'system' | 'project' | 'repository'

export interface CcrRoute<
  Q extends Shape = Shape,
  B extends Shape = Shape,
  O extends Shape = Shape,
  S extends Scope = Scope,
> {
  /** Object and verb: in the log, the metrics, the audit, and as `operationId`. */
  name: string
  method: 'GET' | 'POST' | 'DELETE'
  /** Below the instance; `{repository}` and what charts have may hold slashes. */
  path: string
  summary: { en: string; zh: string }
  /** `signed-in`: the call itself decides. */
  permission: Action | 'signed-in'
  on: S
  query: z.ZodObject<Q>
  body: z.ZodObject<B>
  takesBody: boolean
  /** Fields of a success beside `code`, `message` and `requestId`; `archive`: bytes instead. */
  output: z.ZodObject<O> | 'archive'
  /** A body that is right, as the document prints it. */
  sample: Record<string, unknown> | undefined
}

/** Unknown fields and parameters are let pass: there is no other way to declare an input. */
export function route<
  S extends Scope,
  Q extends Shape = Record<never, never>,
  B extends Shape = Record<never, never>,
  O extends Shape = Record<never, never>,
>(
  spec: Pick<CcrRoute<Q, B, O, S>, 'name' | 'method' | 'path' | 'summary' | 'permission' | 'on'> & {
    query?: Q
    body?: B
    output?: O | 'archive'
    sample?: Record<string, unknown>
  },
): CcrRoute<Q, B, O, S> {
  const { query, body, output, sample, ...rest } = spec
  return {
    ...rest,
    query: z.object(query ?? ({} as Q)),
    body: z.object(body ?? ({} as B)),
    takesBody: body !== undefined,
    output: output === 'archive' ? output : z.object(output ?? ({} as O)),
    sample,
  }
}

export type Target<S extends Scope> = S extends 'system'
  ? unknown
  : S extends 'project'
    ? { project: Project }
    : { project: Project; name: RepositoryName }

/** A change as the audit tells it; who, when, from where and in which project is known. */
export interface Change {
  resource: string
  action?: string
  details?: AuditDetails
  /** Where the path of the call has none. */
  project?: number
}

interface Entered {
  context: RequestContext
  principal: Principal
  /** Parts of the path other than project and repository, decoded. */
  params: Record<string, string>
  /** Writes the audit's entry, in the transaction of the change. */
  audit(tx: Tx, change: Change): Promise<void>
}

/** What came in, not yet checked against the schemas of the route. */
export interface RawRequest extends Entered {
  query: Record<string, string>
  body: unknown
  target: object
}

/** The fields of a success, with a note for the caller; or a whole answer. */
export type Reply<T> = { fields: T; warning?: string | undefined } | Response

/** A success without fields. */
export const DONE: Reply<Record<never, never>> = { fields: {} }

export interface Endpoint {
  route: CcrRoute
  run(request: RawRequest): Promise<Reply<Record<string, unknown>>>
}

export function endpoint<Q extends Shape, B extends Shape, O extends Shape, S extends Scope>(
  route: CcrRoute<Q, B, O, S>,
  handle: (
    request: Entered & {
      query: z.output<z.ZodObject<Q>>
      body: z.output<z.ZodObject<B>>
    } & Target<S>,
  ) => Promise<Reply<z.input<z.ZodObject<O>>>>,
): Endpoint {
  return {
    route,
    run({ target, query, body, ...entered }) {
      return handle({
        ...entered,
        query: checkInput(route.query, withoutIgnored(query)),
        body: checkInput(route.body, body),
        // The gate has read what the route's scope says.
        ...(target as Target<S> & object),
      }) as Promise<Reply<Record<string, unknown>>>
    },
  }
}
