import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Architecture, buildExecutable } from './executable.ts'
import { layOutPackage } from './package.ts'

/*
 * `npm run build`: the npm package and an executable for each architecture, in dist. Arguments name
 * the architectures, without them all. One that cannot be built does not keep the others from it.
 */

const root = resolve(import.meta.dir, '..')
const layout = join(root, 'dist/package')

const asked = process.argv.slice(2)
const architectures = (['x64', 'arm64'] satisfies Architecture[]).filter(
  (one) => asked.length === 0 || asked.includes(one),
)
if (asked.some((one) => one !== 'x64' && one !== 'arm64')) {
  console.error('usage: npm run build [-- x64 arm64]')
  process.exit(2)
}

async function told(file: string): Promise<void> {
  const { size } = await stat(file)
  console.log(`${file}  ${(size / 1e6).toFixed(1)} MB`)
}

await layOutPackage(root, layout)
const packed = Bun.spawnSync(['npm', 'pack', '--silent', '--pack-destination', '..'], {
  cwd: layout,
  stderr: 'inherit',
})
if (packed.exitCode !== 0) throw new Error('npm pack failed')
await told(join(root, 'dist', packed.stdout.toString().trim().split('\n').at(-1) ?? ''))

for (const architecture of architectures) {
  try {
    const consoleBuild = join(layout, 'dist/console')
    await told(await buildExecutable(root, { architecture, consoleBuild }))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    console.error(`NOT BUILT: the executable for linux ${architecture}: ${reason}`)
    process.exitCode = 1
  }
}
