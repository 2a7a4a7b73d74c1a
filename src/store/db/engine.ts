import {
  type ColumnDataType,
  type ColumnDefinitionBuilder,
  type Kysely,
  type RawBuilder,
  type SelectQueryBuilder,
  type SqlBool,
  sql,
} from 'kysely'
import { codeOf } from '../../lib/code-of.ts'

/** What differs between the engines and is not hidden by Kysely. Nobody else asks for the name. */
export interface Engine {
  readonly name: 'sqlite' | 'postgres'
  /** Column types of the schema. */
  readonly types: {
    int: ColumnDataType
    bytes: ColumnDataType
    /** Text that is sorted and compared byte by byte. */
    name: ColumnDataType | RawBuilder<unknown>
  }
  primaryKey(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder
  /**
   * Locks the selected rows until the end of the transaction. SQLite has one writer at a time, so
   * there the whole transaction is the lock. `noKeyUpdate`: to change columns that nobody refers
   * to; foreign keys and `keyShare` do not wait for it.
   */
  lockRows<DB, TB extends keyof DB, O>(
    query: SelectQueryBuilder<DB, TB, O>,
    strength: 'update' | 'noKeyUpdate' | 'share' | 'keyShare',
  ): SelectQueryBuilder<DB, TB, O>
  /** As `lockRows('update')`, but rows that somebody else holds are left out. */
  lockFreeRows<DB, TB extends keyof DB, O>(
    query: SelectQueryBuilder<DB, TB, O>,
  ): SelectQueryBuilder<DB, TB, O>
  /**
   * True where a column has one of the values of a query that locks its rows: all of it runs first,
   * and once. PostgreSQL would join it, by an index of that column alone if there is one, however
   * many rows have the value.
   */
  among<DB, TB extends keyof DB, O>(
    column: string,
    values: SelectQueryBuilder<DB, TB, O>,
  ): RawBuilder<SqlBool>
  /** The next `id` of a table that got rows with ids of their own comes after all of them. */
  continueIds<DB>(db: Kysely<DB>, table: string): Promise<void>
  /**
   * A column that is not to be looked up in an index, since a walk in another order ends sooner:
   * SQLite would gather and sort all that has the value. PostgreSQL weighs that by itself.
   */
  unindexed(column: RawBuilder<unknown>): RawBuilder<unknown>
  /**
   * Transactions of one kind that are worth running side by side, for `gather`: what comes meanwhile
   * is done together. SQLite has nothing to gain, since its transactions share their commit anyhow.
   */
  readonly lanes: number
  /** A unique index refused the row: somebody else was first. */
  isUniqueViolation(error: unknown): boolean
}

export const sqliteEngine: Engine = {
  name: 'sqlite',
  types: { int: 'integer', bytes: 'blob', name: 'text' },
  primaryKey: (column) => column.primaryKey().autoIncrement(),
  lockRows: (query) => query,
  lockFreeRows: (query) => query,
  among: (column, values) => sql`${sql.ref(column)} in ${values}`,
  // AUTOINCREMENT sees them.
  async continueIds() {},
  unindexed: (column) => sql`+${column}`,
  lanes: Number.POSITIVE_INFINITY,
  isUniqueViolation: (error) =>
    ['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'].includes(codeOf(error)),
}

export const postgresEngine: Engine = {
  name: 'postgres',
  types: { int: 'bigint', bytes: 'bytea', name: sql`text collate "C"` },
  primaryKey: (column) => column.primaryKey().generatedByDefaultAsIdentity(),
  lockRows(query, strength) {
    switch (strength) {
      case 'update':
        return query.forUpdate()
      case 'noKeyUpdate':
        return query.forNoKeyUpdate()
      case 'share':
        return query.forShare()
      case 'keyShare':
        return query.forKeyShare()
    }
  },
  lockFreeRows: (query) => query.forUpdate().skipLocked(),
  among: (column, values) => sql`${sql.ref(column)} = any (array ${values})`,
  async continueIds(db, table) {
    await sql`select setval(pg_get_serial_sequence(${table}, 'id'), max(id))
      from ${sql.table(table)} having max(id) is not null`.execute(db)
  },
  unindexed: (column) => column,
  lanes: 2,
  isUniqueViolation: (error) => codeOf(error) === '23505',
}
