import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commitOf } from './commit.ts'

export type Architecture = 'x64' | 'arm64'

/** As npm's packages of Bun name them. */
const NAMES = { x64: 'x64', arm64: 'aarch64' } as const

/**
 * Builds one executable that needs nothing else: Bun, the program and the console.
 *
 * @param consoleBuild a folder that holds one build of the console
 * @param outfile where to put it, in `dist` when not said
 */
export async function buildExecutable(
  root: string,
  {
    architecture,
    consoleBuild,
    outfile = join(root, `dist/entrepot-linux-${architecture}`),
  }: { architecture: Architecture; consoleBuild: string; outfile?: string },
): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'entrepot-build-'))
  try {
    const { success, logs } = await Bun.build({
      entrypoints: [join(root, 'src/main.ts')],
      target: 'bun',
      splitting: true,
      minify: { whitespace: true, syntax: true },
      define: { ENTREPOT_COMMIT: JSON.stringify(commitOf(root)) },
      compile: {
        outfile,
        target: `bun-linux-${architecture}`,
        executablePath: await runtimeFor(root, architecture, scratch),
        execArgv: ['--max-http-header-size=65536'],
        assets: [consoleBuild],
        // Files of these names in the working folder are somebody else's.
        autoloadDotenv: false,
        autoloadBunfig: false,
      },
    })
    if (!success) throw new AggregateError(logs, `${outfile} could not be built`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  return outfile
}

/** The Bun of the lock file for `architecture`: the installed one, or npm's, with its sum checked. */
async function runtimeFor(root: string, architecture: Architecture, scratch: string) {
  const name = `@oven/bun-linux-${NAMES[architecture]}`
  const installed = join(root, 'node_modules', name, 'bin/bun')
  if (await Bun.file(installed).exists()) return installed
  const lock = await Bun.file(join(root, 'package-lock.json')).json()
  const { version, integrity } = lock.packages[`node_modules/${name}`]
  const tarball = run(scratch, 'npm', 'pack', '--silent', `${name}@${version}`).split('\n').at(-1)
  const archive = join(scratch, tarball ?? '')
  const sum = createHash('sha512')
    .update(await Bun.file(archive).bytes())
    .digest('base64')
  if (`sha512-${sum}` !== integrity) throw new Error(`${name} is not what package-lock.json names`)
  run(scratch, 'tar', '-xzf', archive)
  return join(scratch, 'package/bin/bun')
}

function run(cwd: string, ...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd })
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed: ${stderr.toString().trim()}`)
  return stdout.toString().trim()
}
