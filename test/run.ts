/**
 * `npm test`: all tests that need nothing but what `npm ci` installed. `npm test -- clients` runs the
 * ones with real clients instead, as far as these are on the machine. `npm run test:replicas` runs
 * the tests of the running program, with and without real clients, against three servers on
 * PostgreSQL and S3 behind a balancer. All end with the names of what was left out and one line of
 * totals, and fail when a test failed.
 *
 * With `CI` set, the files with failures run once more by themselves. What passes then counts as passed and
 * is named at the end: hundreds of tests with browsers, replicas and killed processes share two cores
 * there, and one that was late should be known, but not hold up a change.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findGarage } from './acceptance/engines.ts'
import { projectRoot } from './acceptance/server.ts'
import { type Failure, failuresIn, NO_TEST, passesIn, ranToTheEnd } from './failures.ts'

type Part = {
  readonly title: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

type Count = {
  passed: number
  failed: number
  skipped: number
  names: string[]
  failures: Failure[]
}

type Run = Count & { isWhole: boolean; passes: ReadonlySet<string> }

// A test of src is quick; the limit is for machines that do much else at the same time.
const plainParts: readonly Part[] = [
  { title: 'src', args: ['--timeout=60000', './src'] },
  {
    title: 'test, without outside tools',
    args: [
      '--timeout=60000',
      '--path-ignore-patterns=**/clients/**',
      '--path-ignore-patterns=**/replicas-matrix.test.ts',
      './test',
    ],
  },
]

const clientParts: readonly Part[] = [
  { title: 'real clients', args: ['--timeout=300000', './test/acceptance/clients'] },
]

/** What looks into the data folder of one server, brings its own, or is about something else. */
const OF_ONE_SERVER = [
  'console',
  'planted-secret.test.ts',
  'replicas.test.ts',
  'replicas-files.test.ts',
  'postgres-crash.test.ts',
  'rebuild.test.ts',
  'move.test.ts',
]

const replicaParts: readonly Part[] = [
  {
    title: 'three replicas, without outside tools',
    args: [
      '--timeout=300000',
      '--path-ignore-patterns=**/clients/**',
      ...OF_ONE_SERVER.map((name) => `--path-ignore-patterns=**/acceptance/${name}{,/**}`),
      './test/acceptance',
    ],
    // Each kill ends and starts three servers.
    env: { ENTREPOT_CRASH_PUSHES: '100', ENTREPOT_TRANSFER_KILLS: '3' },
  },
  ...clientParts.map(({ title, args }) => ({
    title: `three replicas, ${title}`,
    // The examples of proxies are tried with one server behind them; containers bring their own.
    args: ['--path-ignore-patterns=**/clients/{proxies,container-image,compose}.test.ts', ...args],
  })),
]

const folder = await mkdtemp(join(tmpdir(), 'entrepot-test-run-'))
const notTestedFile = join(folder, 'not-tested')

/** Passes what a stream brings on to ours and keeps it. */
const tee = async (from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream): Promise<string> => {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of from) {
    to.write(bytes)
    text += decoder.decode(bytes, { stream: true })
  }
  return text
}

const numberBefore = (text: string, word: string): number =>
  [...text.matchAll(new RegExp(`^ *(\\d+) ${word}s?$`, 'gm'))].reduce(
    (sum, [, number]) => sum + Number(number),
    0,
  )

const runOnce = async ({ title, args, env }: Part): Promise<Run> => {
  console.log(`\n== ${title}`)
  const child = Bun.spawn([process.execPath, 'test', ...args], {
    cwd: projectRoot,
    env: { ...process.env, ...env, ENTREPOT_NOT_TESTED: notTestedFile, NO_COLOR: '1' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err] = await Promise.all([
    tee(child.stdout, process.stdout),
    tee(child.stderr, process.stderr),
  ])
  const exitCode = await child.exited
  const text = `${out}\n${err}`
  const count: Run = {
    isWhole: ranToTheEnd(err),
    passes: passesIn(err),
    passed: numberBefore(text, 'pass'),
    // A file that cannot be loaded is an error between tests, and no less a failure.
    failed: numberBefore(text, 'fail') + numberBefore(text, 'error'),
    skipped: numberBefore(text, 'skip') + numberBefore(text, 'todo'),
    names: [...text.matchAll(/^\((?:skip|todo)\) (.*)$/gm)].map(([, name]) => name ?? ''),
    failures: failuresIn(err),
  }
  if ((exitCode !== 0 || !count.isWhole) && count.failed === 0) {
    const how = count.isWhole ? 'named no failed test' : 'did not come to its end'
    console.log(`${title}: bun test ended with ${exitCode} and ${how}`)
    count.failed = 1
  }
  return count
}

const FAILURES_WORTH_A_SECOND_RUN = 10
const secondRun: string[] = []

const runPart = async (part: Part): Promise<Count> => {
  const first = await runOnce(part)
  const files = [...new Set(first.failures.map((failure) => failure.file))]
  const isFew = files.length > 0 && first.failures.length <= FAILURES_WORTH_A_SECOND_RUN
  // What was never run, or cannot be named, would pass unseen.
  if (!process.env.CI || !isFew || !first.isWhole || files.includes('')) return first
  const options = part.args.filter((arg) => arg.startsWith('--timeout='))
  const second = await runOnce({
    ...part,
    title: `once more: ${files.join(' ')}`,
    args: [...options, ...files.map((file) => `./${file}`)],
  })
  // One that is left out the second time, say for want of its tool, has not passed.
  const isLeftOut = first.failures.some(({ name }) => name !== NO_TEST && !second.passes.has(name))
  if (second.failed > 0 || second.passed === 0 || !second.isWhole || isLeftOut) return first
  secondRun.push(...first.failures.map(({ file, name, text }) => `${file}: ${name}\n${text}\n`))
  return { ...first, passed: first.passed + first.failed, failed: 0, failures: [] }
}

const wantsClients = process.argv.includes('clients')
const wantsReplicas = process.argv.includes('replicas')
if (wantsReplicas) {
  if (!findGarage()) {
    console.log('not tested: replicas (needs Garage, see .ci/install-tools)')
    process.exit(0)
  }
  process.env.ENTREPOT_TEST_REPLICAS ??= '3'
}
const parts = wantsReplicas ? replicaParts : wantsClients ? clientParts : plainParts
const total: Count = { passed: 0, failed: 0, skipped: 0, names: [], failures: [] }
for (const part of parts) {
  const count = await runPart(part)
  total.passed += count.passed
  total.failed += count.failed
  total.skipped += count.skipped
  total.names.push(...count.names)
  total.failures.push(...count.failures)
}

const notTested = await readFile(notTestedFile, 'utf8').catch(() => '')
await rm(folder, { recursive: true, force: true })

const leftOut = new Set([...total.names, ...notTested.split('\n')].filter((name) => name !== ''))
// Once more at the end, where they are found: thousands of lines lie between.
for (const text of secondRun) console.log(`\npassed only when run again: ${text}`)
for (const { file, name, text } of total.failures)
  console.log(`\nfailed: ${file}: ${name}\n${text}`)
console.log('')
for (const name of leftOut) console.log(`left out: ${name}`)
if (!wantsClients && !wantsReplicas) {
  console.log('left out: tests with real clients (npm test -- clients)')
  console.log('left out: official conformance programs (npm run test:conformance)')
  console.log('left out: all of them against three replicas (npm run test:replicas)')
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0)
