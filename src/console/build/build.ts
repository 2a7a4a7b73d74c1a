import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { type ConsoleManifest, readConsoleManifest } from '../assets.ts'
import { consoleFolder, webFolder } from '../paths.ts'
import { consoleKey } from './key.ts'
import { leaveOut } from './leave-out.ts'

/*
 * Builds the console: bundles, splits by page, minifies, and compresses every file once, so that
 * the server never does. A build has a folder of its own and becomes current by one rename; the
 * one before it stays, for browsers that still show its pages.
 */

const compressGzip = promisify(gzip)
const compressBrotli = promisify(brotliCompress)

/** Smaller files would not travel in fewer packets. */
const WORTH_COMPRESSING = 1_024

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** What a build left, with the sizes that a first load is made of. */
export interface ConsoleBuild {
  manifest: ConsoleManifest
  /** The chunks that import each other, by name; `dynamic` come later, when a page asks for them. */
  chunks: Record<string, Chunk>
}

interface Chunk {
  bytes: number
  gzip: number
  br: number
  imports: string[]
  dynamic: string[]
}

/** Builds what is missing: undefined when the newest build is of these very sources. */
export async function buildConsoleIfStale(project: string): Promise<ConsoleBuild | undefined> {
  const [key, current] = await Promise.all([
    consoleKey(project),
    readConsoleManifest(consoleFolder(project)),
  ])
  if (current?.key === key) return undefined
  return buildConsole(project)
}

/** @param target where builds are left, `dist/console` of the project unless set */
export async function buildConsole(
  project: string,
  target = consoleFolder(project),
): Promise<ConsoleBuild> {
  const key = await consoleKey(project)
  const draft = join(target, `draft-${process.pid}`)
  await mkdir(draft, { recursive: true })
  try {
    const built = await bundle(project, draft, key)
    await rm(join(target, key), { recursive: true, force: true })
    await rename(draft, join(target, key))
    const previous = await readConsoleManifest(target)
    const pointer = join(target, `current.json.${process.pid}`)
    await Bun.write(pointer, JSON.stringify(built.manifest))
    await rename(pointer, join(target, 'current.json'))
    await removeOthers(target, [key, previous?.folder])
    return built
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function bundle(project: string, draft: string, key: string): Promise<ConsoleBuild> {
  const web = webFolder(project)
  const { success, outputs, logs, metafile } = await Bun.build({
    entrypoints: [join(web, 'main.tsx')],
    root: web,
    outdir: draft,
    target: 'browser',
    splitting: true,
    minify: true,
    metafile: true,
    plugins: [leaveOut],
    publicPath: '/assets/',
    naming: {
      entry: '[name]-[hash].[ext]',
      chunk: '[name]-[hash].[ext]',
      asset: '[name]-[hash].[ext]',
    },
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  if (!success || !metafile) throw new AggregateError(logs, 'the console could not be built')

  const chunks: Record<string, Chunk> = {}
  const files: ConsoleManifest['files'] = {}
  for (const output of outputs) {
    const name = relative(draft, output.path)
    const bytes = await Bun.file(output.path).bytes()
    const { gzip, br } = await compress(output.path, bytes)
    files[name] = {
      contentType: TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
      gzip: gzip !== undefined,
      br: br !== undefined,
    }
    const imports = metafile.outputs[`./${name}`]?.imports ?? []
    const named = (kind: string) =>
      imports.filter((one) => one.kind === kind).map(({ path }) => path.replace(/^.*\//, ''))
    chunks[name] = {
      bytes: bytes.length,
      gzip: gzip ?? bytes.length,
      br: br ?? bytes.length,
      imports: named('import-statement'),
      dynamic: named('dynamic-import'),
    }
  }
  const entry = outputs.find(({ kind }) => kind === 'entry-point')
  const icon = outputs.find(({ path }) => path.endsWith('.svg'))
  if (!entry || !icon) throw new Error('the console was built without its entry or its icon')
  const entryName = relative(draft, entry.path)
  const manifest = {
    key,
    folder: key,
    entry: entryName,
    preload: importedBy(chunks, entryName),
    icon: relative(draft, icon.path),
    styles: Object.keys(files).filter((name) => name.endsWith('.css')),
    files,
  }
  return { manifest, chunks }
}

/** Everything that `name` imports before it runs, at any depth. */
export function importedBy(chunks: Record<string, Chunk>, name: string): string[] {
  const found = new Set<string>()
  const visit = (one: string) => {
    for (const next of chunks[one]?.imports ?? []) {
      if (next === name || found.has(next)) continue
      found.add(next)
      visit(next)
    }
  }
  visit(name)
  return [...found]
}

/** Writes both forms beside the file; each size is undefined where it was not worth it. */
async function compress(path: string, bytes: Uint8Array) {
  if (bytes.length < WORTH_COMPRESSING) return {}
  const [gzipped, brotli] = await Promise.all([
    compressGzip(bytes, { level: 9 }),
    compressBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }),
  ])
  await Promise.all([Bun.write(`${path}.gz`, gzipped), Bun.write(`${path}.br`, brotli)])
  return { gzip: gzipped.length, br: brotli.length }
}

async function removeOthers(target: string, kept: (string | undefined)[]): Promise<void> {
  const entries = await readdir(target, { withFileTypes: true })
  const old = entries.filter(
    (entry) =>
      entry.isDirectory() && /^[0-9a-f]{16}$/.test(entry.name) && !kept.includes(entry.name),
  )
  await Promise.all(old.map(({ name }) => rm(join(target, name), { recursive: true, force: true })))
}

/** `npm run build:console`, and what `serve` runs beside itself when the console is missing. */
if (import.meta.main) {
  const project = dirname(dirname(dirname(import.meta.dir)))
  const built = await buildConsoleIfStale(project)
  console.log(built ? `console built: ${built.manifest.key}` : 'the console is up to date')
}
