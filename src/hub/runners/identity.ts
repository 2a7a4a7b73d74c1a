import { AppError, isAppError } from '../../lib/errors.ts'
import { because, type Says } from '../../lib/reasons.ts'

/** What stands for this installation itself where a runner is named. */
export const LOCAL = 'local'

/** Words of the paths below `/runners`. */
const RESERVED = [LOCAL, 'self', 'enrol']

/** @throws AppError invalid_input */
export function checkRunnerId(id: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) {
    throw new AppError(
      'invalid_input',
      'the id of a runner must be 1 to 64 letters, digits, ".", "_" and "-", and begin with a letter or digit',
      { field: 'id', ...because('runner_id_invalid', {}) },
    )
  }
  if (RESERVED.includes(id.toLowerCase())) {
    throw new AppError('invalid_input', `"${id}" has a meaning of its own; choose another id`, {
      field: 'id',
      ...because('runner_id_reserved', { name: id }),
    })
  }
}

/** How long one that says nothing is still taken for there. */
export const AWAY_AFTER_MS = 60_000

/** Nobody does the work of a runner but the runner, and that is not there. */
export function runnerAway(message: string, reason: Says): AppError {
  return new AppError('unavailable', message, { problem: 'runner', reason })
}

export function isRunnerAway(error: unknown): boolean {
  return isAppError(error, 'unavailable') && error.details.problem === 'runner'
}

export type RunnerState = 'invited' | 'online' | 'away' | 'revoked'

export function stateOf(
  row: { state: 'invited' | 'enrolled' | 'revoked'; last_seen_at: number | null },
  now: number,
): RunnerState {
  if (row.state !== 'enrolled') return row.state
  const seen = row.last_seen_at ?? 0
  return now - seen < AWAY_AFTER_MS ? 'online' : 'away'
}
