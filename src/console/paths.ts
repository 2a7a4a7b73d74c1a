import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The first part of every address that the console has a page for, beside `/` itself. */
const CONSOLE_PAGES: readonly string[] = [
  'sign-in',
  'start',
  'projects',
  'search',
  'registries',
  'inventory',
  'transfers',
  'runners',
  'users',
  'robots',
  'jobs',
  'audit',
  'account',
  'api-reference',
]

/** True for what the console answers: its pages, and `/assets/`. */
export function isConsolePath(path: string): boolean {
  const [, first = ''] = path.split('/')
  return first === '' || first === 'assets' || CONSOLE_PAGES.includes(first)
}

/** Where programs speak to this one, and get answers for programs also where there is nothing. */
export function isProgramPath(path: string): boolean {
  return /^\/(api|v\d+|openapi|charts|chartrepo|\.well-known)(\/|$)/.test(path)
}

/**
 * The project's folder, from wherever this code runs: `src/console`, or a bundle in `dist`.
 * undefined: there is none, as in the executable.
 */
export function projectFolder(): string | undefined {
  if (Bun.isStandaloneExecutable) return undefined
  let folder = import.meta.dir
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) return undefined
    folder = parent
  }
  return folder
}

/** Where this program finds its console: inside the executable, or where builds leave it. */
export function servedConsoleFolder(): string | undefined {
  if (Bun.isStandaloneExecutable) return join(import.meta.dir, 'console')
  const project = projectFolder()
  return project === undefined ? undefined : consoleFolder(project)
}

/** Where builds of the console are left. */
export const consoleFolder = (project: string): string => join(project, 'dist/console')

/** The source of what runs in the browser. */
export const webFolder = (project: string): string => join(project, 'src/console/web')
