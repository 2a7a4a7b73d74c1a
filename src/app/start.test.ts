import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPostgresTest, type TestDatabase } from '../store/db/test-databases.ts'

/* What the real program says when it cannot start, or not look: one sentence, and no stack. */

setDefaultTimeout(120_000)

const PROGRAM = join(import.meta.dir, '../main.ts')
const CLOSED = 'postgres://ann:s3cret-word@127.0.0.1:1/none'

const folder = mkdtempSync(join(tmpdir(), 'entrepot-start-'))
let database: TestDatabase

/** An installation on SQLite and files that was started once. */
beforeAll(async () => {
  database = await createPostgresTest()
  const child = run(['serve'])
  let said = ''
  for await (const chunk of child.stdout) {
    said += new TextDecoder().decode(chunk)
    if (said.includes('"listening"')) break
  }
  child.kill('SIGTERM')
  expect(await child.exited).toBe(0)
})
afterAll(async () => {
  await database.remove()
  rmSync(folder, { recursive: true, force: true })
})

function run(args: string[], settings: Record<string, string> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_'))
  return Bun.spawn([process.execPath, PROGRAM, ...args], {
    cwd: folder,
    env: {
      ...Object.fromEntries(inherited),
      ENTREPOT_LISTEN: '127.0.0.1:0',
      ENTREPOT_WORKERS: '1',
      ENTREPOT_CONSOLE_ENABLED: 'false',
      ENTREPOT_DATA: join(folder, 'data'),
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function sentenceOf(args: string[], settings: Record<string, string> = {}): Promise<string> {
  const child = run(args, settings)
  const [errors, exitCode] = [await new Response(child.stderr).text(), await child.exited]
  expect(exitCode).toBeGreaterThan(0)
  expect(errors).not.toMatch(/^\s+at |node_modules|s3cret-word/m)
  return errors
}

test('a folder in which nothing was ever started', async () => {
  const never = { ENTREPOT_DATA: join(folder, 'never') }
  expect(await sentenceOf(['verify'], never)).toContain('there is no Entrepot in the folder')
})

test('PostgreSQL that does not answer, lets nobody in, lacks the database, or has nothing in it', async () => {
  const refused = 'PostgreSQL at 127.0.0.1:1 does not answer'
  expect(await sentenceOf(['serve'], { ENTREPOT_DATABASE_URL: CLOSED })).toContain(refused)
  const url = new URL(database.location.url ?? '')
  const verify = (to: URL) => sentenceOf(['verify'], { ENTREPOT_DATABASE_URL: to.href })
  expect(await verify(new URL(CLOSED))).toContain(refused)
  expect(await verify(url)).toContain('was never set up')
  const unknown = new URL(url)
  unknown.pathname = '/nowhere'
  expect(await verify(unknown)).toContain('has no database "nowhere"')
  const stranger = new URL(url)
  stranger.password = 's3cret-word'
  expect(await verify(stranger)).toContain('does not let the user "entrepot" in')
})

test('a sealing key that is missing, and one that is another', async () => {
  const file = join(folder, 'data/sealing.key')
  renameSync(file, join(folder, 'kept'))
  const missing = await sentenceOf(['serve'])
  expect(missing).toContain('the sealing key is missing')
  // None was made in its place, so that the next start says the same.
  expect(await sentenceOf(['serve'])).toBe(missing)
  const other = Buffer.alloc(32, 7).toString('base64')
  expect(await sentenceOf(['serve'], { ENTREPOT_SEALING_KEY: other })).toContain(
    'is not the one that this database was set up with',
  )
  renameSync(join(folder, 'kept'), file)
})

test('an empty data folder setting', async () => {
  expect(await sentenceOf(['serve'], { ENTREPOT_DATA: '' })).toContain('ENTREPOT_DATA is empty')
})

test('another database than before', async () => {
  const said = await sentenceOf(['serve'], { ENTREPOT_DATABASE_URL: database.location.url ?? '' })
  expect(said).toContain('entrepot migrate --to-database')
})
