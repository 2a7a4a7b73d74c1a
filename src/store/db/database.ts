import type { Kysely, Transaction } from 'kysely'
import type { Engine } from './engine.ts'
import type { Schema } from './schema.ts'

/** A transaction in progress. Await nothing but statements inside one. */
export type Tx = Transaction<Schema>

/** Either a transaction or the database itself, for functions that only read. */
export type Queryable = Kysely<Schema>

export interface TransactionOptions {
  /**
   * False: the answer need not survive a power loss, so nobody waits for the disk (it still
   * survives the end of the process). Default true.
   */
  durable?: boolean
  /** It is of one statement and no more, so that the commit can travel with it. Default false. */
  single?: boolean
}

/**
 * More work for the transaction of a change, such as its entry in the audit. It gets what was
 * changed and, like all in a transaction, awaits nothing but statements.
 */
export type Also<Changed = void> = (tx: Tx, changed: Changed) => Promise<void>

/** The database, whichever engine serves it. */
export interface Db {
  readonly engine: Engine
  /** For statements outside of transactions. */
  readonly query: Queryable
  /** For searches that look at very many rows: nothing else of the process waits for them. */
  readonly scan: Queryable
  /** For the question whether the database answers: waits behind nobody. */
  readonly urgent: Queryable
  /**
   * Runs `work` in one transaction and resolves when it is as durable as asked. `work` may run
   * again when the engine reports a serialisation failure: it must touch nothing but `tx`.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Bytes that its disk can still take, roughly; Infinity where that is a server's concern. */
  room(): Promise<number>
  /**
   * Sees that the database can be used at all.
   * @throws AppError unavailable, with a sentence for whoever wrote the settings
   */
  prove(): Promise<void>
  close(): Promise<void>
}
