import type { AuditEntry } from '../../api/types.ts'
import { csvCell } from '../../parts/csv-cell.ts'

const COLUMNS = ['time', 'account', 'action', 'resource', 'address', 'request', 'details'] as const

export function csvOf(entries: readonly AuditEntry[]): string {
  const rows = entries.map((entry) => [
    new Date(entry.at).toISOString(),
    entry.accountName,
    entry.action,
    entry.resource,
    entry.address,
    entry.requestId,
    JSON.stringify(entry.details),
  ])
  // The mark at the beginning tells spreadsheets that this is UTF-8.
  return `\ufeff${[COLUMNS, ...rows].map((row) => row.map(csvCell).join(',')).join('\r\n')}\r\n`
}
