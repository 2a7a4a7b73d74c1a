import { type CompiledQuery, sql } from 'kysely'
import type { Db } from './database.ts'

/**
 * `'live'` as text in the statement. As a parameter SQLite could not use the partial indexes, which
 * hold live rows only: it plans a statement before it knows the values.
 */
export const LIVE = sql.lit<'live'>('live')

interface Compilable<R> {
  compile(): CompiledQuery<R>
}

/** Stands for a value that comes later. */
class Slot {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * A statement for the hot paths, whose text is made once: building it each time costs more than
 * running it.
 *
 * @param build gets an object whose properties stand for the values
 */
export function prepare<V extends object, R>(
  db: Db,
  build: (values: V) => Compilable<R>,
): (values: V) => Promise<R[]> {
  let compiled: CompiledQuery<R> | undefined
  return async (values) => {
    compiled ??= build(slots<V>()).compile()
    const given = values as Record<string, unknown>
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Slot ? given[parameter.name] : parameter,
    )
    const { rows } = await db.query.executeQuery<R>({ ...compiled, parameters })
    return rows
  }
}

function slots<V extends object>(): V {
  return new Proxy({} as V, { get: (_, name) => new Slot(String(name)) })
}
