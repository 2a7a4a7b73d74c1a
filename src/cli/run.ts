import type { ProcessLoaders } from '../lib/process.ts'
import { runChild } from './child.ts'
import { selfCommand } from './self-command.ts'

/**
 * Does what the arguments say. `serve` and the processes that it starts come by here without
 * loading the command line, which they do not need and which would stay in their memory.
 */
export async function run(args: string[], loaders: ProcessLoaders): Promise<void> {
  // What is made here is its owner's alone, also where it is copied to.
  process.umask(0o077)
  const [verb, ...rest] = args
  if (verb === 'worker' || verb === 'jobs') {
    runChild(verb, loaders)
    return
  }
  const startServing = async () => {
    // `bun --watch` follows what this process loads, and the supervisor needs none of it.
    if (process.execArgv.includes('--watch')) {
      await Promise.all(Object.values(loaders).map((load) => load()))
    }
    const { serve } = await import('./serve.ts')
    await serve((role) => selfCommand(role, ...(role === 'prepare' ? args : [])))
  }
  if (verb === 'serve') return startServing()
  const child = verb === 'prepare' ? runChild(verb, loaders) : undefined
  const { createProgram } = await import('./program.ts')
  const program = createProgram({
    async serve({ config, warnings }) {
      if (!child) return startServing()
      child.send({ kind: 'found', config, warnings })
      // While the supervisor looks for the port and starts the others.
      await loaders.prepare()
    },
  })
  await program.parseAsync(child ? rest : args, { from: 'user' })
}
