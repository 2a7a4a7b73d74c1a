import { afterEach, expect, test } from 'bun:test'
import { createSealer, fingerprintOf } from '../lib/secrets.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import { createAccounts } from './accounts.ts'
import {
  ADDRESS,
  basic,
  codeOf,
  createTestAccounts,
  PASSWORD,
  SERVICE,
  type TestAccounts,
} from './test-accounts.ts'

onEachEngine('first start', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  async function onEmpty(): Promise<void> {
    accounts = await createTestAccounts({}, create)
    await accounts.db.query.deleteFrom('setting').execute()
    await accounts.db.query.deleteFrom('signing_key').execute()
  }

  test('of three processes at once makes one administrator with the one password that is told', async () => {
    await onEmpty()
    const processes = [1, 2, 3].map(() => accounts.anotherProcess())
    const told = await Promise.all(processes.map((one) => one.prepare()))
    const [admin, ...more] = told.filter((one) => one !== undefined)
    expect(more).toEqual([])
    expect(admin).toMatchObject({ name: 'admin', generated: true })
    expect(admin?.password).toMatch(/^[A-Za-z2-9]{20}$/)
    const rows = await accounts.db.query.selectFrom('account').selectAll().execute()
    expect(rows.length).toBe(1)
    const header = basic('admin', admin?.password ?? '')
    for (const one of processes) {
      const principal = await one.authenticator.authenticate(header, ADDRESS)
      expect(principal).toMatchObject({ name: 'admin', isAdmin: true })
      const { token } = await one.registryTokens.issue(principal, [], SERVICE)
      for (const other of processes) {
        expect(await codeOf(other.authenticator.authenticate(`Bearer ${token}`, ADDRESS))).toBe(
          'none',
        )
      }
    }
  })

  test('takes the password of the settings, at the first start only', async () => {
    await onEmpty()
    expect(await codeOf(accounts.prepare({ adminPassword: 'admin' }))).toBe('invalid_input')
    expect(await accounts.prepare({ adminPassword: PASSWORD })).toEqual({
      name: 'admin',
      password: PASSWORD,
      generated: false,
    })
    expect(await accounts.prepare({ adminPassword: 'Later-other-1' })).toBeUndefined()
    const signIn = (password: string) =>
      codeOf(accounts.authenticator.signIn('admin', password, ADDRESS))
    expect(await signIn(PASSWORD)).toBe('none')
    expect(await signIn('Later-other-1')).toBe('unauthenticated')
  })

  test('does not bring back an administrator who was deleted', async () => {
    await onEmpty()
    await accounts.prepare()
    await accounts.createUser('root', { isAdmin: true })
    const admin = await accounts.users.find('admin')
    await accounts.users.remove(admin?.id ?? 0)
    expect(await accounts.prepare()).toBeUndefined()
    expect(await accounts.users.find('admin')).toBeUndefined()
  })

  test('with another sealing key is refused with a sentence', async () => {
    await onEmpty()
    await accounts.prepare()
    const key = new Uint8Array(32).fill(9)
    const wrong = createAccounts({
      db: accounts.db,
      clock: accounts.clock,
      sealer: createSealer({ key, keyId: fingerprintOf(key) }),
      settings: {
        authorize: { anonymousWrite: false, projectCreators: 'all' },
        service: SERVICE,
      },
    })
    await expect(wrong.prepare()).rejects.toThrow(
      'the sealing key is not the one that this database was set up with',
    )
  })
})
