import { z } from '@hono/zod-openapi'
import { type AuditPosition, listAudit } from '../../events/audit.ts'
import type { ApiDeps } from './api.ts'
import { given } from './input.ts'
import { afterInvalid, listReply } from './pages.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { id, idInPath, page, pageOf, text, time } from './schemas.ts'

const AuditEntry = z
  .object({
    id,
    at: time,
    account: id.nullable(),
    accountName: z.string(),
    action: z.string().openapi({ example: 'member.update' }),
    project: id.nullable(),
    resource: z.string(),
    address: z.string(),
    requestId: z.string(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  })
  .openapi('AuditEntry')

const timeInQuery = z
  .string()
  .regex(/^\d{1,15}$/, 'must be epoch milliseconds')
  .transform(Number)
  .optional()
  .openapi({ type: 'integer', description: 'Epoch milliseconds' })

export const auditRoutes = {
  list: route({
    name: 'audit.list',
    method: 'GET',
    path: '/audit',
    summary: 'List who changed what, newest first',
    permission: 'system:read',
    on: 'system',
    query: {
      ...page,
      account: idInPath.optional(),
      project: idInPath.optional(),
      action: text(100).optional(),
      since: timeInQuery,
      until: timeInQuery,
    },
    output: pageOf(AuditEntry),
  }),
}

export function auditEndpoints({ db }: ApiDeps): Endpoint[] {
  return [
    endpoint(auditRoutes.list, async ({ query: { after, limit = 100, ...filter } }) => {
      const { items, next } = await listAudit(db.query, {
        ...given(filter),
        ...(after === undefined ? {} : { after: positionOf(after) }),
        limit,
      })
      const details = items.map((item) => ({ ...item, details: given(item.details) }))
      return listReply({ items: details, ...(next ? { next: `${next.at}-${next.id}` } : {}) })
    }),
  ]
}

function positionOf(after: string): AuditPosition {
  const [, at, id] = /^(\d{1,15})-(\d{1,15})$/.exec(after) ?? []
  if (at === undefined || id === undefined) throw afterInvalid()
  return { at: Number(at), id: Number(id) }
}
