import type { ProcessEntry } from '../lib/process.ts'
import { runChild } from './child.ts'
import { selfCommand } from './self-command.ts'

/**
 * Does what the arguments say. The processes that `serve` starts come by here without loading the
 * command line, which they do not need and which would double their start.
 *
 * @param loadEntry loads all parts of the registry.
 */
export async function run(args: string[], loadEntry: () => Promise<ProcessEntry>): Promise<void> {
  // What is made here is its owner's alone, also where it is copied to.
  process.umask(0o077)
  const [verb] = args
  if (verb === 'worker' || verb === 'jobs') return runChild(verb, loadEntry)
  const { createProgram } = await import('./program.ts')
  const program = createProgram({ loadEntry, command: (role) => selfCommand(role) })
  await program.parseAsync(args, { from: 'user' })
}
