import { afterAll, describe, expect, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from './config.ts'
import { createSelfSigned } from './self-signed.ts'
import { loadTls, prepareSelfSigned, type TlsPair, watchTls } from './tls.ts'

const root = mkdtempSync(join(tmpdir(), 'entrepot-tls-'))
afterAll(() => rmSync(root, { recursive: true }))

const DAY_MS = 86_400_000
const files = { cert: join(root, 'tls.crt'), key: join(root, 'tls.key') }

function configWith(flags: Record<string, unknown>): Config {
  return loadConfig({ environment: {}, folder: root, flags }).config
}

function writePair({ cert, key }: TlsPair): void {
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key)
}

const fresh = (name = 'localhost') =>
  createSelfSigned({ names: [name, '127.0.0.1'], now: Date.now(), days: 10 })

describe('a self-signed certificate', () => {
  const names = ['registry.example.com', '10.1.2.3', 'fd00::1:2', '::ffff:10.0.0.1']
  const { cert, key } = createSelfSigned({ names, now: Date.UTC(2049, 11, 1), days: 365 })

  test('is one for exactly its names', () => {
    const certificate = new X509Certificate(cert)
    expect(certificate.subject).toBe('CN=registry.example.com')
    for (const name of names.slice(1)) expect(certificate.checkIP(name)).toBe(name)
    expect(certificate.checkHost('registry.example.com')).toBeDefined()
    expect(certificate.checkHost('other.example.com')).toBeUndefined()
    expect(certificate.checkIP('10.1.2.4')).toBeUndefined()
    expect(certificate.verify(certificate.publicKey)).toBe(true)
  })

  test('is valid from a day before to the given day, also beyond 2049', () => {
    const certificate = new X509Certificate(cert)
    expect(Date.parse(certificate.validFrom)).toBe(Date.UTC(2049, 10, 30))
    expect(Date.parse(certificate.validTo)).toBe(Date.UTC(2050, 11, 1))
  })

  test.skipIf(!Bun.which('openssl'))('is accepted by OpenSSL as a server of that name', () => {
    const { cert } = fresh('registry.example.com')
    const file = join(root, 'openssl.crt')
    writeFileSync(file, cert)
    const verify = ['verify', '-x509_strict', '-CAfile', file, '-purpose', 'sslserver']
    const run = (...args: string[]) => Bun.spawnSync(['openssl', ...verify, ...args, file]).exitCode
    expect(run('-verify_hostname', 'registry.example.com')).toBe(0)
    expect(run('-verify_ip', '127.0.0.1')).toBe(0)
    expect(run('-verify_hostname', 'other.example.com')).not.toBe(0)
  })

  test('differs in key and serial number each time', () => {
    const other = createSelfSigned({ names, now: Date.now(), days: 1 })
    expect(other.key).not.toBe(key)
    expect(new X509Certificate(other.cert).serialNumber).not.toBe(
      new X509Certificate(cert).serialNumber,
    )
  })
})

describe('the certificate of the settings', () => {
  const config = configWith({ 'listen.tls.cert': files.cert, 'listen.tls.key': files.key })

  test('is read from the files', () => {
    const pair = fresh()
    writePair(pair)
    expect(loadTls(config)).toEqual(pair)
    expect(loadTls(configWith({}))).toBeUndefined()
  })

  test('must match its key, be PEM and be there', () => {
    writePair({ cert: fresh().cert, key: fresh().key })
    expect(() => loadTls(config)).toThrow(/does not belong to the certificate/)
    writePair({ cert: 'text', key: fresh().key })
    expect(() => loadTls(config)).toThrow(/must be a PEM certificate/)
    rmSync(files.cert)
    expect(() => loadTls(config)).toThrow(/listen.tls.cert: cannot read .*tls.crt \(ENOENT\)/)
  })

  test('is watched: half of a new pair changes nothing, the whole of it is told once', async () => {
    const old = fresh()
    const next = fresh()
    writePair(old)
    const seen: TlsPair[] = []
    const problems: unknown[] = []
    const options = { everyMs: 5, onProblem: (error: unknown) => problems.push(error) }
    const watch = watchTls(config, (pair) => seen.push(pair), options)
    writeFileSync(files.cert, next.cert)
    await Bun.sleep(50)
    expect([seen.length, problems.length]).toEqual([0, 1])
    writeFileSync(files.key, next.key)
    await Bun.sleep(50)
    watch.stop()
    expect(seen).toEqual([next])
  })
})

describe('the self-signed certificate of the settings', () => {
  const config = configWith({ 'listen.tls.selfSigned': true, 'listen.address': '192.0.2.7:5000' })
  const made = join(config.data, 'tls/self-signed.crt')
  const content = () => readFileSync(made, 'utf8')

  test('is made for this machine and its address, its key readable by the owner only', () => {
    prepareSelfSigned(config)
    const certificate = new X509Certificate(content())
    expect(certificate.checkHost('localhost')).toBeDefined()
    expect(certificate.checkIP('192.0.2.7')).toBeDefined()
    expect(statSync(join(config.data, 'tls/self-signed.key')).mode & 0o777).toBe(0o600)
    expect(loadTls(config)?.cert).toBe(content())
  })

  test('is kept until it ends or another name is needed', () => {
    const before = content()
    prepareSelfSigned(config)
    expect(content()).toBe(before)
    prepareSelfSigned(config, Date.now() + 701 * DAY_MS)
    const renewed = content()
    expect(renewed).not.toBe(before)
    prepareSelfSigned(
      configWith({ 'listen.tls.selfSigned': true, publicUrl: 'https://hub.example.com' }),
    )
    expect(new X509Certificate(content()).checkHost('hub.example.com')).toBeDefined()
  })

  test('gives way to a broken file', () => {
    copyFileSync(join(config.data, 'tls/self-signed.key'), made)
    prepareSelfSigned(config)
    expect(loadTls(config)?.cert).toContain('BEGIN CERTIFICATE')
  })
})

/*
 * What http/server.ts relies on: Bun 1.4.5 ignores `tls` in `server.reload()`, so a new listener
 * on the same port takes over and the old one lets its requests finish.
 */
test.skipIf(process.platform !== 'linux')('a second listener changes the certificate', async () => {
  const [old, next] = [fresh(), fresh()]
  const listen = (tls: TlsPair, port: number) =>
    Bun.serve({
      hostname: '127.0.0.1',
      port,
      reusePort: true,
      tls,
      async fetch(request) {
        if (request.url.endsWith('/slow')) await Bun.sleep(200)
        return new Response('answered')
      },
    })
  const first = listen(old, 0)
  const port = first.port ?? 0
  const ask = (path: string, trusted: TlsPair) =>
    fetch(`https://127.0.0.1:${port}${path}`, { tls: { ca: trusted.cert }, keepalive: false })
  const running = ask('/slow', old)
  await Bun.sleep(50)
  const second = listen(next, port)
  const stopped = first.stop()
  expect(await (await ask('/', next)).text()).toBe('answered')
  expect(await (await running).text()).toBe('answered')
  await stopped
  expect(await ask('/', old).catch(() => 'refused')).toBe('refused')
  await second.stop(true)
})
