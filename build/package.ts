import { chmod, cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readConsoleManifest } from '../src/console/assets.ts'
import { buildConsoleIfStale } from '../src/console/build/build.ts'
import { consoleFolder } from '../src/console/paths.ts'
import { buildProgram } from './program.ts'

/** What a package takes over from that of the project, which names much more for development. */
const TAKEN = ['name', 'version', 'description', 'license', 'type', 'engines', 'bin'] as const

/**
 * Lays out the npm package in `target`: the program and the console as they were built. Everything
 * but Bun is inside the program, so it is all that the package depends on.
 */
export async function layOutPackage(root: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  await buildProgram(join(target, 'dist/program'))
  await layOutConsole(root, join(target, 'dist/console'))

  const own = await Bun.file(join(root, 'package.json')).json()
  const manifest = {
    ...Object.fromEntries(TAKEN.map((key) => [key, own[key]])),
    dependencies: { bun: own.dependencies.bun },
  }
  await Bun.write(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  for (const part of ['bin', 'docs', 'README.md', 'README.zh.md', 'LICENSE']) {
    await cp(join(root, part), join(target, part), { recursive: true })
  }
  await chmod(join(target, 'bin/entrepot.js'), 0o755)
}

/** The newest build of the console alone, without the one that browsers may still show. */
async function layOutConsole(root: string, target: string): Promise<void> {
  await buildConsoleIfStale(root)
  const source = consoleFolder(root)
  const manifest = await readConsoleManifest(source)
  if (!manifest) throw new Error('the console was not built')
  await cp(join(source, manifest.folder), join(target, manifest.folder), { recursive: true })
  await Bun.write(join(target, 'current.json'), JSON.stringify(manifest))
}
