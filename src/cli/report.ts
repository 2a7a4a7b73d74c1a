import { isAppError } from '../lib/errors.ts'
import { describeMachineFailure } from '../lib/machine-failure.ts'

/** Wrong use or wrong settings; 1 is for what went wrong later. */
export const EXIT_USAGE = 2
/** A mistake of the program itself (`EX_SOFTWARE` of sysexits.h). */
const EXIT_BUG = 70

/** Runs a verb; what is wrong is told as a sentence, not as a stack. */
export async function report(run: () => Promise<void> | void): Promise<void> {
  try {
    await run()
  } catch (error) {
    const [text, code] = describeFailure(error)
    process.stderr.write(`entrepot: ${text}\n`)
    process.exit(code)
  }
}

function describeFailure(error: unknown): [text: string, exitCode: number] {
  if (isAppError(error)) return [error.message, error.code === 'invalid_input' ? EXIT_USAGE : 1]
  const failure = describeMachineFailure(error)
  if (failure !== undefined) return [failure, 1]
  const message = error instanceof Error ? error.message : String(error)
  // Whoever reports it can say where.
  if (process.env.ENTREPOT_LOG_LEVEL === 'debug' && error instanceof Error) {
    return [error.stack ?? message, EXIT_BUG]
  }
  return [
    `this went wrong inside the program: ${message}\n` +
      'With ENTREPOT_LOG_LEVEL=debug it tells where.',
    EXIT_BUG,
  ]
}
