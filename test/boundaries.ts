import { dirname, join, normalize } from 'node:path'
import { Glob } from 'bun'

/*
 * The plan of the house, checked: arrows between the rooms of `src` only go down this list, the
 * acceptance tests see the program only from outside, and files stay small and well named.
 */

const ROOMS = [
  'main',
  'cli',
  'app',
  'http',
  'console',
  'hub',
  'charts',
  'registry',
  'accounts',
  'client',
  'jobs',
  'events',
  'store',
  'oci',
  'lib',
]
/** What a client of the registry may share with it. */
const SEEN_BY_ACCEPTANCE = ['oci', 'client']
/** Runs in the browser: nothing of the server may reach it. */
const BROWSER = 'src/console/web/'
/** Types that both sides know, so that what the server says and no text exists for does not compile. */
const SEEN_BY_BROWSER = ['src/lib/error-code.ts', 'src/lib/reasons.ts']
const BROWSER_ASSET = /^src\/console\/web\/.+\.(css|svg|html)$/
const MOST_LINES = 400
const MANY_LINES = 300
const SAYS_NOTHING = /^(utils?|helpers?|common|misc|shared)$/
const TEST_FILE = /\.(test|contract)\.ts$|(^|\/)test-[^/]+\.ts$/
/** Also types and dynamic imports: who needs a type depends on it. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g

export interface Finding {
  file: string
  line: number
  problem: string
  /** Told, but fails nothing. */
  isWarning?: true
}

/** What is wrong in `files`: path from the project's folder → content. */
export function inspect(files: Map<string, string>): Finding[] {
  return [...files].flatMap(([file, content]) => [
    ...inspectName(file),
    ...inspectLength(file, content),
    ...importsOf(content).flatMap(({ line, target }) =>
      inspectImport(file, target).map((problem) => ({ file, line, problem })),
    ),
  ])
}

function inspectName(file: string): Finding[] {
  const bad = file.split(/[/.]/).find((part) => SAYS_NOTHING.test(part))
  if (bad === undefined) return []
  return [{ file, line: 1, problem: `"${bad}" does not say what is inside: name the concept` }]
}

function inspectLength(file: string, content: string): Finding[] {
  const lines = content.trimEnd().split('\n').length
  if (lines <= MANY_LINES) return []
  const problem = `${lines} lines; about ${MANY_LINES} are the aim, ${MOST_LINES} the limit: split it`
  return [{ file, line: lines, problem, ...(lines <= MOST_LINES ? { isWarning: true } : {}) }]
}

function importsOf(content: string): { line: number; target: string }[] {
  return [...content.matchAll(IMPORT)].map((match) => ({
    line: content.slice(0, match.index + match[0].length).split('\n').length,
    target: match[1] ?? '',
  }))
}

function inspectImport(file: string, target: string): string[] {
  const from = roomOf(file)
  if (!target.startsWith('.')) {
    const ofServer = /^(node:|bun(:|$))/.test(target)
    const inBrowser = from === 'oci' || file.startsWith(BROWSER)
    if (!inBrowser || TEST_FILE.test(file) || !ofServer) return []
    return [`imports ${target}, but ${from}/ runs in the browser${from === 'oci' ? ' too' : ''}`]
  }
  const path = normalize(join(dirname(file), target))
  const to = roomOf(path)
  const problems: string[] = []
  if (!/\.(tsx?|json)$/.test(path) && !BROWSER_ASSET.test(path))
    problems.push(`imports ${target} without its extension`)
  if (from !== undefined && to === undefined && path !== 'package.json') {
    problems.push(`imports ${path}, which is outside of src`)
  }
  if (from !== undefined && to !== undefined && rank(to) < rank(from)) {
    problems.push(`imports ${path}, but ${from} must not know ${to}: it stands below it`)
  }
  if (from !== undefined && TEST_FILE.test(path) && !TEST_FILE.test(file)) {
    problems.push(`imports ${path}, which is there for tests only`)
  }
  const isShared = to === 'oci' || SEEN_BY_BROWSER.includes(path)
  if (file.startsWith(BROWSER) && !path.startsWith(BROWSER) && !isShared) {
    problems.push(`imports ${path}, but the console's code for the browser knows only oci/`)
  }
  if (SEEN_BY_BROWSER.includes(file)) {
    problems.push(`imports ${path}, but the browser reads this file: it may import nothing`)
  }
  const isOutside = file.startsWith('test/acceptance/') && to !== undefined
  if (isOutside && !SEEN_BY_ACCEPTANCE.includes(to)) {
    problems.push(`imports ${path}, but acceptance tests know only the program from outside`)
  }
  return problems
}

/** `registry` for `src/registry/tags.ts`, `app` for `src/app.ts`; undefined outside of src. */
function roomOf(file: string): string | undefined {
  const [root, first = ''] = file.split('/')
  return root === 'src' ? first.replace(/\.tsx?$/, '') : undefined
}

function rank(room: string): number {
  const found = ROOMS.indexOf(room)
  if (found === -1)
    throw new Error(`src/${room} is in no list: give it a place in ${import.meta.file}`)
  return found
}

async function readSources(): Promise<Map<string, string>> {
  const root = dirname(import.meta.dir)
  const paths = [...new Glob('{src,test,bench}/**/*.{ts,tsx}').scanSync(root)].sort()
  const contents = await Promise.all(paths.map((path) => Bun.file(join(root, path)).text()))
  return new Map(paths.map((path, i) => [path, contents[i] ?? '']))
}

if (import.meta.main) {
  const files = await readSources()
  const findings = inspect(files)
  for (const { file, line, problem, isWarning } of findings) {
    console.log(`${file}:${line}: ${isWarning ? 'warning: ' : ''}${problem}`)
  }
  const failures = findings.filter(({ isWarning }) => !isWarning).length
  if (failures > 0) {
    console.log(`\n${failures} breaks of the plan. Arrows only go down: ${ROOMS.join(' > ')}`)
    process.exit(1)
  }
  console.log(`${files.size} files keep to the plan`)
}
