import { get } from '../../api/client.ts'
import type { AuditEntry, Page } from '../../api/types.ts'
import { saveText } from '../../parts/save-text.ts'
import { csvOf } from './audit-csv.ts'

const PAGE_SIZE = 1_000
/** What a spreadsheet takes, and a browser keeps in memory. */
const MOST = 100_000

/** Reads all entries that fit the filters and saves them as CSV. */
export async function exportAudit(
  query: Record<string, string | undefined>,
  onProgress: (count: number) => void,
): Promise<void> {
  const entries: AuditEntry[] = []
  let after: string | undefined
  do {
    const page: Page<AuditEntry> = await get('/audit', { ...query, after, limit: PAGE_SIZE })
    entries.push(...page.items)
    onProgress(entries.length)
    after = page.next ?? undefined
  } while (after !== undefined && entries.length < MOST)
  const day = new Date().toISOString().slice(0, 10)
  saveText(csvOf(entries), `audit-${day}.csv`, 'text/csv;charset=utf-8')
}
