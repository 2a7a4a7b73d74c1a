import { z } from 'zod'
import type { Action } from '../../accounts/permissions.ts'
import type { Principal } from '../../accounts/principal.ts'
import type { AuditDetails } from '../../events/audit.ts'
import type { Project } from '../../registry/projects.ts'
import type { Tx } from '../../store/db/database.ts'
import type { RequestContext } from '../context.ts'
import { checkInput } from './input.ts'

/*
 * The calls of HSS as data: the router, the gate and the tests read the same table. All are about one
 * project, the one that the path names.
 */

type Shape = z.core.$ZodLooseShape

export interface HssRoute<
  P extends Shape = Shape,
  Q extends Shape = Shape,
  B extends Shape = Shape,
> {
  /** As the vendor's SDKs call it. */
  name: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/v5/{project_id}`. */
  path: string
  permission: Action
  params: z.ZodObject<P>
  query: z.ZodObject<Q>
  body: z.ZodObject<B>
  takesBody: boolean
}

/** Unknown fields and parameters are let pass, as the vendor does. */
export function route<
  P extends Shape = Record<never, never>,
  Q extends Shape = Record<never, never>,
  B extends Shape = Record<never, never>,
>(
  spec: Pick<HssRoute, 'name' | 'method' | 'path' | 'permission'> & {
    params?: P
    query?: Q
    body?: B
  },
): HssRoute<P, Q, B> {
  const { params, query, body, ...rest } = spec
  return {
    ...rest,
    params: z.object(params ?? ({} as P)),
    query: z.object(query ?? ({} as Q)),
    body: z.object(body ?? ({} as B)),
    takesBody: body !== undefined,
  }
}

/** A change as the audit tells it; who, when, from where and in which project is known. */
export interface Change {
  action: string
  resource: string
  details?: AuditDetails
}

interface Entered {
  context: RequestContext
  principal: Principal
  project: Project
  /** Writes the audit's entry, in the transaction of the change. */
  audit(tx: Tx, change: Change): Promise<void>
}

/** What came in, not yet checked against the schemas of the route. */
export interface RawRequest extends Entered {
  params: Record<string, string>
  query: Record<string, string>
  body: unknown
}

/** What is answered as JSON; undefined: 200 with an empty body, as all writes are. */
export type Reply = object | undefined

export interface Endpoint {
  route: HssRoute
  run(request: RawRequest): Promise<Reply>
}

export function endpoint<P extends Shape, Q extends Shape, B extends Shape>(
  route: HssRoute<P, Q, B>,
  handle: (
    request: Entered & {
      params: z.output<z.ZodObject<P>>
      query: z.output<z.ZodObject<Q>>
      body: z.output<z.ZodObject<B>>
    },
  ) => Promise<Reply>,
): Endpoint {
  return {
    route,
    run: ({ params, query, body, ...entered }) =>
      handle({
        ...entered,
        params: checkInput(route.params, params),
        query: checkInput(route.query, query),
        body: checkInput(route.body, body),
      }),
  }
}
