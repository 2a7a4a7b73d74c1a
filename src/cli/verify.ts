import type { Config } from '../lib/config.ts'
import { verifyInstallation } from '../registry/verify.ts'

/** Prints what is wrong with an installation; the exit code is 1 when anything is. */
export async function verify(config: Config, options: { deep: boolean }): Promise<void> {
  const { checked, problems } = await verifyInstallation(config, options)
  for (const [name, count] of Object.entries(checked)) {
    process.stdout.write(`${name}: ${count} checked\n`)
  }
  for (const problem of problems) process.stdout.write(`WRONG  ${problem}\n`)
  process.stdout.write(
    problems.length === 0 ? 'nothing is wrong\n' : `${problems.length} problems\n`,
  )
  if (problems.length > 0) process.exitCode = 1
}
