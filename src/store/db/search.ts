import { type RawBuilder, type SqlBool, sql } from 'kysely'

/** True where the column contains `text`, which has no wildcards. Names are lower case. */
export function containing(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`
}
