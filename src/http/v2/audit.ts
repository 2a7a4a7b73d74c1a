import { type AuditDetails, writeAudit } from '../../events/audit.ts'
import { systemClock } from '../../lib/clock.ts'
import type { Also } from '../../store/db/database.ts'
import type { V2Request } from './v2.ts'

/** Writes a deletion down in its own transaction. Pushes are not audited: tags have a history. */
export function auditOf<T extends AuditDetails | void = void>(
  { context, principal, name, project }: V2Request,
  action: 'tag.delete' | 'artifact.delete' | 'blob.delete',
  reference: string,
): Also<T> {
  return (tx, details) =>
    writeAudit(tx, {
      at: systemClock(),
      actor: { account: principal.account, name: principal.name },
      action,
      project: project?.id,
      resource: `${name.full}${reference.includes(':') ? '@' : ':'}${reference}`,
      address: context.address,
      requestId: context.requestId,
      ...(details ? { details } : {}),
    })
}
