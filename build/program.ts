import { join, resolve } from 'node:path'
import { commitOf } from './commit.ts'

/*
 * Puts the program into a few files of JavaScript. Bun runs the TypeScript as it is, but keeps what
 * translating several hundred files took: 11 MB for each process, of which `serve` starts several.
 */

const root = resolve(import.meta.dir, '..')

/** Where `buildProgram` leaves the command line: the program's first file. */
export const PROGRAM = join(root, 'dist/program/main.js')

/** @param outdir where the files are left */
export async function buildProgram(outdir = join(root, 'dist/program')): Promise<void> {
  // What is there stays: a server that runs may yet load parts of an older build.
  const { success, logs } = await Bun.build({
    entrypoints: [join(root, 'src/main.ts')],
    outdir,
    target: 'bun',
    splitting: true,
    sourcemap: 'linked',
    define: { ENTREPOT_COMMIT: JSON.stringify(commitOf(root)) },
    // Names stay, for the stack traces in logs.
    minify: { whitespace: true, syntax: true },
  })
  if (!success) throw new AggregateError(logs, 'the program could not be built')
}

if (import.meta.main) await buildProgram()
