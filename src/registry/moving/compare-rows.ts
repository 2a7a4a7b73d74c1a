import { createHash } from 'node:crypto'
import type { Db } from '../../store/db/database.ts'
import { pagesOf, type TableShape, type Value, type Values } from '../../store/db/tables.ts'

const MODULUS = 2n ** 128n

/**
 * A checksum of a table that does not depend on the order of its rows, which engines sort
 * differently: the sum of the hashes of all rows.
 * @param most ends with the page that reaches so many rows
 */
export async function sumOfRows(
  db: Db,
  table: TableShape,
  most = Number.POSITIVE_INFINITY,
): Promise<string> {
  const names = table.columns.map(({ name }) => name).sort()
  let sum = 0n
  let rows = 0
  for await (const page of pagesOf(db, table)) {
    for (const row of page) sum = (sum + hashOf(row, names)) % MODULUS
    rows += page.length
    if (rows >= most) break
  }
  return sum.toString(16)
}

function hashOf(row: Values, names: readonly string[]): bigint {
  const text = JSON.stringify(names.map((name) => plain(row[name] ?? null)))
  return BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 32)}`)
}

function plain(value: Value): unknown {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value
}
