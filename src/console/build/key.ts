import { join } from 'node:path'
import { Glob } from 'bun'

/** What the console is built from, beside the packages that the lock file names. */
const SOURCES = ['src/console/{web,build}/**/*', 'src/oci/*.ts', 'package-lock.json']

/**
 * Follows from everything that goes into the console: while it stays the same a build would give
 * the same files. Reads two hundred small files, which takes some 20 ms.
 */
export async function consoleKey(project: string): Promise<string> {
  const paths = SOURCES.flatMap((pattern) => [...new Glob(pattern).scanSync(project)])
    .filter((path) => !path.endsWith('.test.ts'))
    .sort()
  const contents = await Promise.all(paths.map((path) => Bun.file(join(project, path)).bytes()))
  const hasher = new Bun.CryptoHasher('sha256')
  hasher.update(Bun.version)
  for (const [i, path] of paths.entries()) {
    hasher.update(`\n${path} ${contents[i]?.length}\n`)
    hasher.update(contents[i] ?? '')
  }
  return hasher.digest('hex').slice(0, 16)
}
