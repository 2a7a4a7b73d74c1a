import { type CompiledQuery, sql } from 'kysely'
import type { Db, Queryable } from './database.ts'

/**
 * `'live'` as text in the statement. As a parameter SQLite could not use the partial indexes, which
 * hold live rows only: it plans a statement before it knows the values.
 */
export const LIVE = sql.lit<'live'>('live')

interface Compilable<R> {
  compile(): CompiledQuery<R>
}

/** Stands for a value that comes later: of which of the rows that are given, and which of its. */
class Slot {
  readonly row: number
  readonly name: string
  constructor(row: number, name: string) {
    this.row = row
    this.name = name
  }
}

/** A statement that the engine may keep, with its plan, under a name. */
export interface PreparedQuery<R = unknown> extends CompiledQuery<R> {
  readonly name: string
  readonly isDeferred: boolean
}

export interface StatementOptions {
  /**
   * Nobody reads what it answers. Where statements travel, the next one does not wait for it; when
   * it fails, so does the next one, or the commit, with its error. Resolves to no rows.
   */
  deferred?: boolean
}

/**
 * A statement for the hot paths, whose text is made once for each database: building it each time
 * costs more than running it, and so does planning it.
 *
 * @param build gets an object whose properties stand for the values; it must name each of them
 */
export function statement<V extends object, R>(
  build: (on: Queryable, values: V) => Compilable<R>,
  options: StatementOptions = {},
): (on: Queryable, values: V) => Promise<R[]> {
  const run = ofRows<V, R>((on, [values]) => build(on, values as V), 1, options)
  return (on, values) => run(on, [values])
}

/** As `statement`, for a certain number of rows. */
function ofRows<V extends object, R>(
  build: (on: Queryable, rows: V[]) => Compilable<R>,
  count: number,
  { deferred: isDeferred = false }: StatementOptions,
): (on: Queryable, rows: V[]) => Promise<R[]> {
  const texts = new WeakMap<object, PreparedQuery<R>>()
  return async (on, rows) => {
    // The same for a database and its transactions.
    const { adapter } = on.getExecutor()
    let compiled = texts.get(adapter)
    if (!compiled) {
      const built = build(on, slots<V>(count)).compile()
      compiled = { ...built, name: Bun.hash(built.sql).toString(36), isDeferred }
      texts.set(adapter, compiled)
    }
    const given = rows as Record<string, unknown>[]
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Slot ? given[parameter.row]?.[parameter.name] : parameter,
    )
    const query: PreparedQuery<R> = { ...compiled, parameters }
    return (await on.executeQuery<R>(query)).rows
  }
}

/** Larger lists come with large work, and are not worth a place in the memory of each connection. */
const KEPT_SIZES = 16

/**
 * As `statement`, for one whose text depends on how many values it has: a statement for each number
 * up to 16; longer ones are built each time.
 */
export function statements<V extends object, R>(
  build: (on: Queryable, values: V[]) => Compilable<R>,
  options: StatementOptions = {},
): (on: Queryable, values: V[]) => Promise<R[]> {
  const bySize = new Map<number, (on: Queryable, values: V[]) => Promise<R[]>>()
  return async (on, values) => {
    const { length } = values
    if (length > KEPT_SIZES) return (await on.executeQuery<R>(build(on, values).compile())).rows
    let run = bySize.get(length)
    if (!run) {
      run = ofRows(build, length, options)
      bySize.set(length, run)
    }
    return run(on, values)
  }
}

/** As `statement`, for one database and outside of transactions. */
export function prepare<V extends object, R>(
  db: Db,
  build: (values: V) => Compilable<R>,
): (values: V) => Promise<R[]> {
  const run = statement((_: Queryable, values: V) => build(values))
  return (values) => run(db.query, values)
}

function slots<V extends object>(count: number): V[] {
  return Array.from(
    { length: count },
    (_, row) => new Proxy({} as V, { get: (_target, name) => new Slot(row, String(name)) }),
  )
}
