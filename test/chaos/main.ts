/**
 * `npm run test:chaos`: three replicas on PostgreSQL and S3 behind a balancer, 50 clients that push
 * and pull, and for three minutes everything that can break does. Afterwards nothing acknowledged may
 * be missing. `--minutes N`, `--clients N`, `--seed N`; the seed is printed and repeats the choices,
 * as far as the machine's timing allows. `--large-layer 50g` instead pushes one layer of that size
 * through three replicas and kills each of them on the way. Ends with 1 when a promise was broken.
 */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { createApiToken, createProject } from '../acceptance/admin-api.ts'
import { findGarage, startEngines } from '../acceptance/engines.ts'
import { randomFrom } from '../acceptance/random.ts'
import { replicasOf, startReplicated } from '../acceptance/replicas.ts'
import { projectRoot } from '../acceptance/server.ts'
import { runClient } from './clients.ts'
import { judge } from './judge.ts'
import { parseSize, pushLargeLayer } from './large-layer.ts'
import { createLedger } from './ledger.ts'
import { startS3Faults } from './s3-faults.ts'
import { makeTrouble } from './trouble.ts'

const MB = 1024 * 1024
/** What pushes may take to end once nothing breaks any more. */
const SETTLE_MS = 120_000

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    clients: { type: 'string', default: '50' },
    'large-layer': { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const [minutes, clients, seed] = [values.minutes, values.clients, values.seed].map(Number)
if (!minutes || !clients || !Number.isFinite(seed)) {
  console.log('--minutes, --clients and --seed take numbers')
  process.exit(2)
}
if (!findGarage()) {
  console.log('not tested: chaos (needs Garage, see .ci/install-tools)')
  process.exit(0)
}

const say = (text: string) => console.log(text)
const large = values['large-layer']
if (large !== undefined) {
  const size = parseSize(large)
  if (size < 10 * MB) {
    say('--large-layer takes a size such as 50g or 512m, from 10m on')
    process.exit(2)
  }
  process.exit((await pushLargeLayer(size, say)) ? 0 : 1)
}
say(`chaos: ${clients} clients, ${minutes} minutes, seed ${seed}`)

const logFile = join(projectRoot, '.cache/chaos.log')
await mkdir(dirname(logFile), { recursive: true })
const log = Bun.file(logFile).writer()

const engines = await startEngines()
const faults = await startS3Faults(engines.s3.endpoint)
const server = await startReplicated({
  s3Endpoint: faults.endpoint,
  onOutput: (text) => log.write(text),
  // One passes blobs through itself, by way of its cache; the others send clients to the bucket.
  envOf: (index) => (index === 0 ? { ENTREPOT_STORAGE_S3_REDIRECT: 'never' } : {}),
})
const replicas = replicasOf(server)
const ledger = createLedger()
let isOver = false
let failed = true
try {
  const token = await createApiToken(server, server.admin, 'chaos')
  const user = { username: server.admin.username, password: token }
  const projects = ['free-a', 'free-b', 'limited']
  await createProject(server, 'free-a')
  await createProject(server, 'free-b')
  await createProject(server, 'limited', { quota: 1024 * 1024 * MB })
  await createProject(server, 'small', { quota: 20 * MB })

  const random = randomFrom(seed ?? 0)
  const running = Array.from({ length: clients }, (_, number) =>
    runClient(number, {
      url: server.url,
      user,
      ledger,
      random: randomFrom((seed ?? 0) + number + 1),
      projects,
      small: 'small',
      isOver: () => isOver,
    }),
  )
  const trouble = makeTrouble({ replicas, engines, faults, random, isOver: () => isOver })
  const every = setInterval(() => say(`  ${JSON.stringify(ledger.counts)}`), 30_000)
  await Promise.race([Bun.sleep(minutes * 60_000), trouble.ended, ...running])
  isOver = true
  await trouble.ended
  clearInterval(every)
  const settled = await Promise.race([
    Promise.all(running).then(() => true),
    Bun.sleep(SETTLE_MS).then(() => false),
  ])
  if (!settled) ledger.violation(`clients still try ${SETTLE_MS / 1000} s after all is well again`)

  const told = await judge(server, replicas, user, ledger)
  say('\ntrouble:')
  for (const [name, count] of Object.entries(trouble.counts)) say(`  ${name}: ${count}`)
  for (const [name, count] of faults.counts) say(`  S3 requests, ${name}: ${count}`)
  say('clients:')
  for (const [name, count] of Object.entries(ledger.counts)) say(`  ${name}: ${count}`)
  for (const line of told) say(line)
  failed = ledger.violations.length > 0
  for (const violation of ledger.violations) say(`BROKEN  ${violation}`)
  say(failed ? `${ledger.violations.length} promises broken (seed ${seed})` : 'nothing is wrong')
} catch (error) {
  say(`chaos ended early: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
} finally {
  await server.dispose()
  faults.stop()
  await log.end()
  if (failed) say(`what the replicas logged is in ${logFile}`)
}
process.exit(failed ? 1 : 0)
