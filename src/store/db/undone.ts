import { isAppError } from '../../lib/errors.ts'

/*
 * What is told as `unavailable` may have been done: the connection may be lost while the server
 * commits. Where it is known better, such as for a statement that was refused, it is noted beside
 * the failure, since nobody who is told of it has any use for that.
 */

const undone = new WeakSet<object>()

/** Notes of a failure that nothing of its transaction was done. Returns the failure. */
export function markUndone(failure: unknown): unknown {
  if (failure instanceof Error) undone.add(failure)
  return failure
}

/** True when nothing of the transaction that failed so was done, for certain. */
export function isUndone(failure: unknown): boolean {
  return !isAppError(failure, 'unavailable') || undone.has(failure)
}
