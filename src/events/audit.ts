import type { Expression, SqlBool } from 'kysely'
import type { Queryable, Tx } from '../store/db/database.ts'
import type { Row } from '../store/db/schema.ts'

/*
 * Who changed what, written in the transaction of the change: there is no change without its
 * entry and no entry without its change. Details are a closed set of fields, none of which holds
 * a secret; a new one is added here, where that is looked at.
 */

const DETAIL_FIELDS = [
  'name',
  'previousName',
  'kind',
  'displayName',
  'email',
  'role',
  'previousRole',
  'isAdmin',
  'isPublic',
  'disabled',
  'immutable',
  'alias',
  'quota',
  'previousQuota',
  'digest',
  'previousDigest',
  'tag',
  'mediaType',
  'size',
  'count',
  'expiresAt',
  'tokenId',
  'member',
  'jobId',
  'address',
  'previousAddress',
  'provider',
  'namespace',
  'verifyTls',
  'secretChanged',
  'privateAllowed',
  'isDefault',
  'allProjects',
  'registryId',
  'purpose',
  'environment',
  'reason',
] as const

export type AuditDetails = {
  [field in (typeof DETAIL_FIELDS)[number]]?: string | number | boolean | null | undefined
}

export interface AuditEntry {
  /** Epoch milliseconds. */
  at: number
  /** Who did it, also by the name at that time; `account` null: nobody signed in, or the system. */
  actor: { account: number | null; name: string }
  /** Object and verb: `tag.delete`, `member.update`. */
  action: string
  /** The project that it concerns, for those who may see only its entries. */
  project?: number | null | undefined
  /** What was changed, as people name it: `payments/api:1.2`, `alice`. */
  resource: string
  /** Of the client; empty for what the system does itself. */
  address?: string
  requestId?: string
  details?: AuditDetails
}

/** Writes one entry in the transaction of the change itself. */
export async function writeAudit(tx: Tx, entry: AuditEntry): Promise<void> {
  await tx
    .insertInto('audit')
    .values({
      at: entry.at,
      account: entry.actor.account,
      account_name: entry.actor.name,
      action: entry.action,
      project: entry.project ?? null,
      resource: entry.resource,
      address: entry.address ?? '',
      request_id: entry.requestId ?? '',
      details: JSON.stringify(onlyKnown(entry.details ?? {})),
    })
    .execute()
}

/** Types do not see what a variable carries beside its declared fields; nothing else is written. */
function onlyKnown(details: AuditDetails): AuditDetails {
  return Object.fromEntries(
    DETAIL_FIELDS.filter((field) => details[field] !== undefined).map((field) => [
      field,
      details[field],
    ]),
  )
}

export interface AuditFilter {
  account?: number
  project?: number
  action?: string
  /** From this time on, epoch milliseconds. */
  since?: number
  /** Before this time. */
  until?: number
  /** The `next` of the page before. */
  after?: AuditPosition
  /** 1 to 1000; 50 unless set. */
  limit?: number
}

/** A place in the list. */
export interface AuditPosition {
  at: number
  id: number
}

/** An entry as lists show it. */
export interface AuditView {
  id: number
  at: number
  account: number | null
  accountName: string
  action: string
  project: number | null
  resource: string
  address: string
  requestId: string
  details: AuditDetails
}

export interface AuditPage {
  /** Newest first. */
  items: AuditView[]
  next: AuditPosition | undefined
}

/** One page of the entries that fit all of the filters. */
export async function listAudit(db: Queryable, filter: AuditFilter = {}): Promise<AuditPage> {
  const limit = Math.min(Math.max(filter.limit ?? 50, 1), 1000)
  const rows = await auditQuery(db, filter)
    .limit(limit + 1)
    .execute()
  const items = rows.slice(0, limit).map(viewOf)
  const last = items.at(-1)
  return {
    items,
    next: rows.length > limit && last ? { at: last.at, id: last.id } : undefined,
  }
}

/** The query of `listAudit`, without its limit. */
export function auditQuery(db: Queryable, filter: AuditFilter) {
  const { account, project, action, since, until, after } = filter
  return db
    .selectFrom('audit')
    .selectAll()
    .where((eb) => {
      const all: Expression<SqlBool>[] = []
      if (account !== undefined) all.push(eb('account', '=', account))
      if (project !== undefined) all.push(eb('project', '=', project))
      if (action !== undefined) all.push(eb('action', '=', action))
      if (since !== undefined) all.push(eb('at', '>=', since))
      if (until !== undefined) all.push(eb('at', '<', until))
      if (after) all.push(eb(eb.refTuple('at', 'id'), '<', eb.tuple(after.at, after.id)))
      return eb.and(all)
    })
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
}

function viewOf(row: Row<'audit'>): AuditView {
  return {
    id: row.id,
    at: row.at,
    account: row.account,
    accountName: row.account_name,
    action: row.action,
    project: row.project,
    resource: row.resource,
    address: row.address,
    requestId: row.request_id,
    details: JSON.parse(row.details) as AuditDetails,
  }
}
