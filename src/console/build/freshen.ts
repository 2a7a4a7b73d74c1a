import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../lib/log.ts'
import { projectFolder, webFolder } from '../paths.ts'

/**
 * Builds the console beside the running server when there is none yet, or one of older sources. A
 * process of its own does it, so that what a bundler needs is not kept by anybody who serves.
 * Where the sources are not there, as in the executable, the console is part of the program.
 * @returns ends the build, if it still runs
 */
export function freshenConsole(log: Log): () => void {
  const project = projectFolder()
  if (project === undefined || !existsSync(webFolder(project))) return () => {}
  const script = join(project, 'src/console/build/build.ts')
  const child = Bun.spawn([process.execPath, script], { stdio: ['ignore', 'ignore', 'pipe'] })
  let ended = false
  void new Response(child.stderr).text().then(async (problem) => {
    const code = await child.exited
    if (code !== 0 && !ended) log.warn('console not built', { code, problem: problem.slice(-2000) })
  })
  return () => {
    ended = true
    child.kill()
  }
}
