import { expect, test } from 'bun:test'
import { base64url, CompactEncrypt, importJWK } from 'jose'
import { codeOf } from '../../accounts/test-accounts.ts'
import { openLogin, sealLogin } from './sealed-login.ts'
import { newRunnerKey } from './test-runner.ts'

const USE = {
  provider: 'native',
  address: 'https://registry.example.com',
  verifyTls: true,
  caCertificate: null,
} as const

test('opens for its key and its use, and with no other algorithm or header', async () => {
  const { privateKey, publicKey } = await newRunnerKey()
  const seal = (key = publicKey) => sealLogin({ publicKey: key, keyId: 'one' }, 'planted', USE)
  const codeFor = (sealed: string, use: typeof USE = USE) =>
    codeOf(openLogin(privateKey, sealed, use))
  const sealed = await seal()
  expect(await openLogin(privateKey, sealed, USE)).toBe('planted')
  expect(await codeFor(await seal((await newRunnerKey()).publicKey))).toBe('denied')

  const [header = '', ...rest] = sealed.split('.')
  const own = JSON.parse(new TextDecoder().decode(base64url.decode(header)))
  for (const change of [
    { kid: 'two' },
    { zip: 'DEF' },
    { crit: ['x'], x: 1 },
    { alg: 'dir' },
    { enc: 'A128GCM' },
    { epk: undefined },
    { epk: { ...own.epk, crv: 'P-384' } },
    { epk: { ...own.epk, x: own.epk.y } },
  ]) {
    const other = [base64url.encode(JSON.stringify({ ...own, ...change })), ...rest].join('.')
    expect([change, await codeFor(other)]).toEqual([change, 'denied'])
  }

  const key = await importJWK(publicKey, 'ECDH-ES')
  const login = new TextEncoder().encode(JSON.stringify({ secret: 'planted', ...USE }))
  for (const [alg, enc] of [
    ['ECDH-ES', 'A256GCM'],
    ['ECDH-ES', 'A128GCM'],
    ['ECDH-ES', 'A256CBC-HS512'],
    ['ECDH-ES+A256KW', 'A256GCM'],
  ] as const) {
    const made = await new CompactEncrypt(login).setProtectedHeader({ alg, enc }).encrypt(key)
    const isOurs = alg === 'ECDH-ES' && enc === 'A256GCM'
    expect([alg, enc, await codeFor(made)]).toEqual([alg, enc, isOurs ? 'none' : 'denied'])
  }
})
