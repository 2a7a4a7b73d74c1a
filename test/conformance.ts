/**
 * `npm run test:conformance`: the official conformance programs of the distribution specification
 * against the real program, once with anonymous writes allowed and once with Bearer tokens of a
 * user. Any failure and any skip fails the run, but for the few skips that the 1.1.1 suite itself
 * makes unavoidable, which are named. `--replicas` runs it against three servers on PostgreSQL and
 * S3 behind a balancer without sticky sessions.
 */
import { accessSync, constants } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { createProject, createUser } from './acceptance/admin-api.ts'
import { findGarage } from './acceptance/engines.ts'
import { type Credentials, projectRoot, type Server, startServer } from './acceptance/server.ts'

type Outcome = { readonly name: string; readonly status: string; readonly detail: string }

type Mode = {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  /** Makes what the mode needs; resolves to the login the suite uses, if any. */
  readonly prepare: (server: Server) => Promise<Credentials | undefined>
}

type Suite = {
  readonly name: string
  /** The variable that names the program, and what it is called in `.tools/bin` or on the PATH. */
  readonly variable: string
  readonly program: string
  readonly env: (target: {
    readonly server: Server
    readonly user: Credentials | undefined
    readonly results: string
  }) => Readonly<Record<string, string>>
  /** Names of tests that no registry can make run in one pass, with the reason. */
  readonly unavoidable: ReadonlyMap<string, string>
}

const on = (prefix: string, names: string): Record<string, string> =>
  Object.fromEntries(names.split(' ').map((name) => [`${prefix}_${name}`, 'true']))

/** The programs push an image without its layers, which is refused unless a setting allows it. */
const sparse = { ENTREPOT_MANIFESTS_SPARSE: 'true' }

const modes: readonly Mode[] = [
  {
    name: 'anonymous',
    env: { ...sparse, ENTREPOT_ACCESS_ANONYMOUS_WRITE: 'true' },
    prepare: async (server) => {
      // Anonymous clients never create a project, so it is there before.
      await createProject(server, 'conformance', { public: true })
      return undefined
    },
  },
  {
    name: 'bearer',
    env: sparse,
    prepare: (server) => createUser(server, 'conformance-user'),
  },
]

const suites: readonly Suite[] = [
  {
    name: 'distribution-spec main',
    variable: 'OCI_CONFORMANCE',
    program: 'oci-conformance',
    env: ({ server, user, results }) => ({
      OCI_REGISTRY: server.host,
      OCI_TLS: 'disabled',
      OCI_VERSION: 'dev',
      OCI_REPO1: 'conformance/repo1',
      OCI_REPO2: 'conformance/repo2',
      OCI_RESULTS_DIR: results,
      ...(user ? { OCI_USERNAME: user.username, OCI_PASSWORD: user.password } : {}),
      // Every optional part, also those that are off by default.
      ...on('OCI_API', 'PING PULL PUSH REFERRER TAGS_ATOMIC TAGS_DELETE TAGS_LIST'),
      ...on('OCI_API_BLOBS', 'ATOMIC DELETE DIGEST_HEADER MOUNT_ANONYMOUS UPLOAD_CANCEL'),
      ...on('OCI_API_MANIFESTS', 'ATOMIC DELETE DIGEST_HEADER TAG_PARAM'),
      ...on('OCI_DATA', 'IMAGE INDEX INDEX_LIST SPARSE ARTIFACT SUBJECT SUBJECT_MISSING'),
      ...on('OCI_DATA', 'ARTIFACT_LIST SUBJECT_LIST DATA_FIELD NONDISTRIBUTABLE CUSTOM_FIELDS'),
      ...on('OCI_DATA', 'NO_LAYERS EMPTY_BLOB SHA512'),
    }),
    unavoidable: new Map(),
  },
  {
    name: 'distribution-spec 1.1.1',
    variable: 'OCI_CONFORMANCE_111',
    program: 'oci-conformance-1.1.1',
    env: ({ server, user, results }) => ({
      OCI_ROOT_URL: server.url,
      OCI_NAMESPACE: 'conformance/one',
      OCI_CROSSMOUNT_NAMESPACE: 'conformance/two',
      OCI_REPORT_DIR: results,
      OCI_AUTOMATIC_CROSSMOUNT: '1',
      OCI_HIDE_SKIPPED_WORKFLOWS: '0',
      ...(user ? { OCI_USERNAME: user.username, OCI_PASSWORD: user.password } : {}),
      ...on('OCI_TEST', 'PULL PUSH CONTENT_DISCOVERY CONTENT_MANAGEMENT'),
    }),
    unavoidable: new Map([
      [
        'Pull Setup Get tag name from environment',
        'only for registries filled beforehand instead of by the suite',
      ],
      [
        'Content Discovery Setup Populate registry with test tags (no push)',
        'only for registries filled beforehand instead of by the suite',
      ],
      [
        'Push Cross-Repository Blob Mount Cross-mounting of nonexistent blob should yield session id',
        'looks at the answer of the mount before it, and runs only where that was not 201',
      ],
      [
        'Push Cross-Repository Blob Mount Cross-mounting without from, and automatic content discovery disabled should return a 202',
        'the opposite of the test with discovery enabled, which ran',
      ],
    ]),
  },
]

const findProgram = ({ variable, program }: Suite): string | undefined => {
  const named = process.env[variable]
  if (named && !canRun(named)) throw new Error(`${variable} names ${named}, which cannot be run`)
  const own = join(projectRoot, '.tools/bin', program)
  return named ?? (canRun(own) ? own : (Bun.which(program) ?? undefined))
}

const canRun = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const unescapeXml = (text: string): string =>
  text
    .replaceAll('&#xA;', '\n')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#34;', '"')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')

const plainNames = (name: string): string =>
  unescapeXml(name)
    .replace('OCI Distribution Conformance Tests ', '')
    .replace('OCI Conformance Test/', '')

/** Test cases of a junit.xml as both suites write it: a name, a status, and what went wrong. */
const readJunit = (xml: string): Outcome[] =>
  xml
    .split('<testcase ')
    .slice(1)
    .map((part) => ({
      name: plainNames(/^name="([^"]*)"/.exec(part)?.[1] ?? '?'),
      status: /^[^>]*\bstatus="([^"]*)"/.exec(part)?.[1] ?? '?',
      detail: unescapeXml(
        /<failure message="([^"]*)"/.exec(part)?.[1] ??
          /<system-out>([^<]*)</.exec(part)?.[1] ??
          '',
      ),
    }))

/**
 * The summary of the program of main: an API or a data set may be Skip or Disabled there although
 * every single test passed.
 */
const readSummary = (yaml: string): Outcome[] => {
  const summary = parse(yaml) as Record<'apis' | 'data', Record<string, string>>
  return [...Object.entries(summary.apis), ...Object.entries(summary.data)]
    .filter(([, status]) => status !== 'Pass')
    .map(([name, status]) => ({ name: `summary: ${name}`, status, detail: '' }))
}

const totals = { passed: 0, failed: 0, skipped: 0 }

const runSuite = async (suite: Suite, program: string, mode: Mode): Promise<void> => {
  const title = `${suite.name}, ${mode.name}${kind}`
  const results = join(
    projectRoot,
    '.cache/conformance',
    `${suite.name.replaceAll(' ', '-')}-${mode.name}`,
  )
  await rm(results, { recursive: true, force: true })
  await mkdir(results, { recursive: true })
  const server = await startServer({ env: mode.env })
  try {
    const user = await mode.prepare(server)
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('OCI_'))
    const child = Bun.spawn([program], {
      cwd: results,
      env: { ...Object.fromEntries(inherited), ...suite.env({ server, user, results }) },
      stdin: 'ignore',
      stdout: Bun.file(join(results, 'output.txt')),
      stderr: Bun.file(join(results, 'errors.txt')),
      timeout: 15 * 60_000,
    })
    const exitCode = await child.exited

    const outcomes = readJunit(await readFile(join(results, 'junit.xml'), 'utf8'))
    if (outcomes.length < 50) throw new Error(`${title}: only ${outcomes.length} tests ran`)
    const summary = await readFile(join(results, 'results.yaml'), 'utf8').catch(() => undefined)
    if (summary !== undefined) outcomes.push(...readSummary(summary))

    const count = { passed: 0, failed: 0, skipped: 0 }
    for (const { name, status, detail } of outcomes) {
      const reason = suite.unavoidable.get(name)
      if (status === 'passed') {
        count.passed++
      } else if (status === 'skipped' && reason !== undefined) {
        count.skipped++
        console.log(`  unavoidable skip: ${name} (${reason})`)
      } else {
        count.failed++
        console.log(`  ${status}: ${name}\n    ${detail.trim().replaceAll('\n', '\n    ')}`)
      }
    }
    // The suites exit with 1 for what is counted above; anything else went wrong by itself.
    if (count.failed === 0 && exitCode !== 0) {
      count.failed++
      console.log(`  the program ended with ${exitCode}; see ${join(results, 'errors.txt')}`)
    }
    console.log(`${title}: ${count.passed} passed, ${count.failed} failed or skipped`)
    totals.passed += count.passed
    totals.failed += count.failed
    totals.skipped += count.skipped
  } finally {
    await server.dispose()
  }
}

const notTested: string[] = []
const wantsReplicas = process.argv.includes('--replicas')
if (wantsReplicas) process.env.ENTREPOT_TEST_REPLICAS ??= '3'
const kind = wantsReplicas ? ', three replicas' : ''
if (wantsReplicas && !findGarage()) {
  console.log('\n*** not tested: conformance of replicas (needs Garage, see .ci/install-tools) ***')
  process.exit(0)
}
for (const suite of suites) {
  const program = findProgram(suite)
  if (!program) {
    notTested.push(
      `not tested: ${suite.name} (name the program with ${suite.variable} or put ${suite.program} into .tools/bin or on the PATH)`,
    )
    continue
  }
  for (const mode of modes) {
    await runSuite(suite, program, mode).catch((error: unknown) => {
      totals.failed++
      console.log(`${suite.name}, ${mode.name}: ${error instanceof Error ? error.message : error}`)
    })
  }
}
for (const sentence of notTested) console.log(`\n*** ${sentence} ***`)
const ran = totals.passed + totals.failed > 0
if (ran)
  console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed > 0 ? 1 : 0)
