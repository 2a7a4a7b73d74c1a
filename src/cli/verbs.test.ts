import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPasswords } from '../accounts/passwords.ts'
import { createUsers } from '../accounts/users.ts'
import { systemClock } from '../lib/clock.ts'
import { migrate } from '../store/db/migrate.ts'
import { openDatabase } from '../store/db/open.ts'

/*
 * The command line with what people get wrong. Whatever it is, they read a sentence and get an exit
 * code: 2 for wrong use, 1 for what stands in the way.
 */

setDefaultTimeout(60_000)

const main = Bun.fileURLToPath(new URL('../main.ts', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'entrepot-verbs-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const place = (name: string) => join(root, name)
mkdirSync(place('empty'))
mkdirSync(place('damaged/blobs'), { recursive: true })
writeFileSync(place('damaged/entrepot.db'), 'this is no database'.repeat(100))
mkdirSync(place('never-started/blobs'), { recursive: true })
writeFileSync(place('never-started/entrepot.db'), '')
writeFileSync(place('a-file'), '')
writeFileSync(place('bad.yaml'), 'x: [\n\u001b[31m')

async function run(
  args: readonly string[],
  { env = {}, input = '' }: { env?: Record<string, string>; input?: string } = {},
) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_'))
  const child = Bun.spawn([process.execPath, main, ...args], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: [new Blob([input]), 'pipe', 'pipe'],
  })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { exitCode: await child.exited, out, err }
}

const nobody = { ENTREPOT_URL: 'http://127.0.0.1:1', ENTREPOT_TOKEN: 'ept_x' }
const noDatabase = { ENTREPOT_DATABASE_URL: 'postgres://a:hidden@127.0.0.1:1/x' }

/** Arguments, what is read, the exit code, variables. */
const WRONG: [string, string, number, Record<string, string>?][] = [
  ['nonsense', "unknown command 'nonsense'", 2],
  ['verify --nope', "unknown option '--nope'", 2],
  ['verify --config bad.yaml', 'bad.yaml: is no YAML', 2],
  ['serve --config empty', 'it is a folder', 2],
  ['verify --data none', 'there is no Entrepot in the folder', 2],
  ['verify --data a-file', 'there is no Entrepot in the folder', 2],
  ['verify --data never-started', 'the database was never set up', 2],
  ['verify --data damaged', 'entrepot.db cannot be used: the file is no database', 1],
  ['serve --data damaged --listen 127.0.0.1:0', 'entrepot.db cannot be used', 1],
  ['serve --data a-file', 'the data folder', 1],
  ['migrate --data empty --to-storage s3://b --parallel 0', 'from 1 to 64', 2],
  ['user', 'Usage: entrepot user', 2],
  ['user reset-password admin --data empty', 'there is no Entrepot in the folder', 2],
  ['user reset-password admin', '127.0.0.1:1 does not answer', 1, noDatabase],
  ['use payments', 'http://127.0.0.1:1 does not answer', 1, nobody],
  ['copy a b', 'set ENTREPOT_TOKEN', 2, { ENTREPOT_URL: 'http://127.0.0.1:1' }],
  ['runner --hub nonsense --data runner', '--hub', 2],
  ['runner --hub http://127.0.0.1:1 --data a-file', 'a-file', 1],
  ['health --listen 127.0.0.1:1', 'does not answer', 1],
]

describe('what people get wrong', () => {
  for (const [line, sentence, code, env = {}] of WRONG) {
    test(`${line} ${Object.keys(env).join(' ')}`, async () => {
      const { exitCode, out, err } = await run(line.split(' '), { env })
      expect(err).toContain(sentence)
      expect(out).toBe('')
      expect(exitCode).toBe(code)
      // No stack, no source, nothing that moves the cursor, no password.
      expect(err).not.toMatch(/^\s+at /m)
      expect(err).not.toMatch(/[\p{Cc}--\n]/v)
      expect(err).not.toContain('hidden')
    })
  }

  test('leaves no folder behind where there was none', () => {
    expect(readdirSync(root)).not.toContain('none')
    expect(readdirSync(place('empty'))).toEqual([])
  })
})

describe('user reset-password', () => {
  const data = place('installed')

  async function install() {
    const db = await openDatabase({ dataFolder: data })
    await migrate(db)
    const users = createUsers({
      db,
      clock: systemClock,
      passwords: createPasswords(),
      forget: () => {},
    })
    await users.create({ name: 'admin', password: 'Lost-horse-1', isAdmin: true })
    return db
  }

  test('prints the password alone, or takes the one of the standard input', async () => {
    const db = await install()
    const hash = async () =>
      (await db.query.selectFrom('credential').select('hash').executeTakeFirstOrThrow()).hash
    try {
      const reset = ['user', 'reset-password', 'admin', '--data', data]
      const made = await run(reset)
      expect(made.exitCode).toBe(0)
      expect(made.out).toMatch(/^\w{20}\n$/)
      expect(made.err).toContain('"admin"')
      expect(await Bun.password.verify(made.out.trim(), await hash())).toBe(true)

      const given = await run([...reset, '--password-stdin'], { input: 'Given-horse-1\n' })
      expect(given).toMatchObject({ exitCode: 0, out: '' })
      expect(await Bun.password.verify('Given-horse-1', await hash())).toBe(true)

      const empty = await run([...reset, '--password-stdin'])
      expect(empty).toMatchObject({ exitCode: 2, out: '' })
      const weak = await run([...reset, '--password-stdin'], { input: 'weak' })
      expect(weak).toMatchObject({ exitCode: 2, out: '' })
      expect(weak.err).toContain('the password needs')
      expect(await Bun.password.verify('Given-horse-1', await hash())).toBe(true)

      const unknown = await run(['user', 'reset-password', 'bob', '--data', data])
      expect(unknown).toMatchObject({ exitCode: 1, out: '' })
      expect(unknown.err).toContain('there is no user "bob"; administrators are "admin"')
    } finally {
      await db.close()
    }
  })
})
