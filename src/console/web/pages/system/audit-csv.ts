import type { AuditEntry } from '../../api/types.ts'

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
  return `\ufeff${[COLUMNS, ...rows].map((row) => row.map(cellOf).join(',')).join('\r\n')}\r\n`
}

/** Quoted; what a spreadsheet would take for a formula begins with an apostrophe. */
function cellOf(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return `"${safe.replaceAll('"', '""')}"`
}
