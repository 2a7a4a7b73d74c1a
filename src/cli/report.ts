import { isAppError } from '../lib/errors.ts'

/** Wrong use or wrong settings; 1 is for what went wrong later. */
export const EXIT_USAGE = 2

/** Runs a verb; what is wrong is told as a sentence, not as a stack. */
export async function report(run: () => Promise<void> | void): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!isAppError(error)) throw error
    process.stderr.write(`entrepot: ${error.message}\n`)
    process.exit(error.code === 'invalid_input' ? EXIT_USAGE : 1)
  }
}
