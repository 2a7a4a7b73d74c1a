import { afterEach, expect, test } from 'bun:test'
import { exportJWK } from 'jose'
import { onEachEngine } from '../store/db/test-databases.ts'
import { codeOf, createTestAccounts, type TestAccounts, testSealer } from './test-accounts.ts'

onEachEngine('signing keys', (create) => {
  let accounts: TestAccounts
  afterEach(() => accounts.remove())

  test('three processes that start at once sign with one key', async () => {
    accounts = await createTestAccounts({}, create)
    await accounts.db.query.deleteFrom('setting').execute()
    await accounts.db.query.deleteFrom('signing_key').execute()
    const processes = [1, 2, 3].map(() => accounts.anotherProcess())
    await Promise.all(processes.map((one) => one.signingKeys.prepare()))
    const active = await Promise.all(processes.map((one) => one.signingKeys.active()))
    expect(new Set(active.map(({ kid }) => kid)).size).toBe(1)
    const rows = await accounts.db.query.selectFrom('signing_key').selectAll().execute()
    expect(rows.length).toBe(1)
  })

  test('the private key is sealed, the public one is not private', async () => {
    accounts = await createTestAccounts({}, create)
    const row = await accounts.db.query
      .selectFrom('signing_key')
      .selectAll()
      .executeTakeFirstOrThrow()
    const secret = JSON.parse(await testSealer.openText(row.private_key))
    expect(row.public_key).not.toContain(secret.d)
    expect(JSON.parse(row.public_key)).toMatchObject({ kid: row.kid, alg: 'ES256', crv: 'P-256' })
    expect(JSON.parse(row.public_key).d).toBeUndefined()
    const verifier = await accounts.signingKeys.verifier(row.kid)
    expect(verifier && (await exportJWK(verifier)).x).toBe(secret.x)
  })

  test('two rotations at once make one new key; the old one still verifies', async () => {
    accounts = await createTestAccounts({}, create)
    const other = accounts.anotherProcess()
    const { kid: old } = await accounts.signingKeys.active()
    accounts.pass(1_000)
    const done = await Promise.all([
      accounts.signingKeys.rotate(500),
      other.signingKeys.rotate(500),
    ])
    expect(done.sort()).toEqual([false, true])
    const { kid } = await accounts.signingKeys.active()
    expect(kid).not.toBe(old)
    expect(await accounts.signingKeys.verifier(old)).toBeDefined()
  })

  test('another process learns of a new key when it sees it, and signs with it within a minute', async () => {
    accounts = await createTestAccounts({}, create)
    const other = accounts.anotherProcess()
    const { kid: old } = await other.signingKeys.active()
    accounts.pass(1_000)
    await accounts.signingKeys.rotate()
    const { kid } = await accounts.signingKeys.active()
    expect(await other.signingKeys.verifier(kid)).toBeDefined()
    accounts.pass(60_000)
    expect((await other.signingKeys.active()).kid).toBe(kid)
    expect(await codeOf(accounts.signingKeys.remove(kid))).toBe('conflict')
    await accounts.signingKeys.remove(old)
    accounts.pass(60_000)
    expect(await other.signingKeys.verifier(old)).toBeUndefined()
  })
})
