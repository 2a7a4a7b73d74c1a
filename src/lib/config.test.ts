import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfigInput, loadConfig } from './config.ts'
import { describeSettings, printConfig } from './config-docs.ts'
import { SETTINGS } from './config-schema.ts'
import { AppError } from './errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'entrepot-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function load(environment: Record<string, string> = {}, rest: ConfigInput = {}) {
  return loadConfig({ environment, folder, ...rest })
}

function problemsOf(environment: Record<string, string>, rest: ConfigInput = {}): string[] {
  try {
    load(environment, rest)
  } catch (error) {
    if (error instanceof AppError) {
      return (error.details.problems ?? []).map(({ field, message }) => `${field}: ${message}`)
    }
    throw error
  }
  return []
}

function fileWith(content: string): string {
  const file = join(folder, `settings-${Math.random()}.yaml`)
  writeFileSync(file, content)
  return file
}

describe('where settings come from', () => {
  test('nothing is needed', () => {
    const { config, origins, warnings } = load()
    expect(config.listen.address).toEqual({ host: '127.0.0.1', port: 5000 })
    expect(config.data).toBe(join(folder, 'data'))
    expect(config.uploads).toMatchObject({ idleTimeout: 300_000, expireAfter: 604_800_000 })
    expect(config.publicUrl).toBeUndefined()
    expect(origins.size).toBe(0)
    expect(warnings).toEqual([])
    expect(Object.isFrozen(config.listen.tls)).toBe(true)
  })

  test('flags win over variables, these over the file', () => {
    const file = fileWith('workers: 1\ndata: from-file\nlog: {level: debug}\n')
    const flags = { workers: '3' }
    const { config, origins } = load(
      { ENTREPOT_WORKERS: '2', ENTREPOT_DATA: '/env' },
      { file, flags },
    )
    expect([config.workers, config.data, config.log.level]).toEqual([3, '/env', 'debug'])
    expect(origins.get('workers')).toBe('the command line')
    expect(origins.get('data')).toBe('ENTREPOT_DATA')
  })

  test('the usual file is found, another one is named by a variable', () => {
    writeFileSync(join(folder, 'entrepot.yaml'), 'workers: 7\n')
    try {
      expect(load().config.workers).toBe(7)
      expect(load({ ENTREPOT_CONFIG: fileWith('workers: 8') }).config.workers).toBe(8)
    } finally {
      rmSync(join(folder, 'entrepot.yaml'))
    }
  })

  test('listen is an address or a group, and empty keys count as left out', () => {
    const short = load({}, { file: fileWith('listen: "[::1]:80"\ndatabase:\n') })
    expect(short.config.listen.address).toEqual({ host: '::1', port: 80 })
    const long = load({}, { file: fileWith('listen: {address: ":80", tls: {selfSigned: yes}}') })
    expect(long.config.listen.address).toEqual({ host: '0.0.0.0', port: 80 })
    expect(long.config.listen.tls.selfSigned).toBe(true)
  })

  test('secrets come from files and variables, without the line break at the end', () => {
    const { config } = load({ ENTREPOT_ADMIN_PASSWORD_FILE: fileWith('pass word\n') })
    expect(config.adminPassword).toBe('pass word')
    const given = load({ ENTREPOT_ADMIN_PASSWORD: 'pass word\n' })
    expect(given.config.adminPassword).toBe('pass word')
  })

  test('variables may hold lists, and empty ones are unset', () => {
    const { config } = load({ ENTREPOT_TRUSTED_PROXIES: '10.0.0.0/8, ::1', ENTREPOT_WORKERS: '' })
    expect(config.trustedProxies).toEqual(['10.0.0.0/8', '::1'])
  })

  test.each([
    ['90s', 90_000],
    ['2m30s', 150_000],
    ['200', 200_000],
  ])('a token lifetime of %s', (text, milliseconds) => {
    expect(load({ ENTREPOT_TOKENS_LIFETIME: text }).config.tokens.lifetime).toBe(milliseconds)
  })
})

describe('problems', () => {
  test('are reported together, each with key, value and what would be right', () => {
    const file = fileWith('wokers: 2\nlog: debug\nwarehouse: {s3: {}}\nprojects: {creator: all}\n')
    const problems = problemsOf(
      {
        ENTREPOT_WORKERS: 'many',
        ENTREPOT_TOKENS_LIFETIME: '5 fortnights',
        ENTREPOT_LISTEN_TLS_CERT: 'cert.pem',
        ENTREPOT_PUBLIC_URL: 'https://example.com/registry',
        ENTREPOT_TRUSTED_PROXIES: '10.0.0.0/33',
      },
      { file, flags: { 'listen.address': '127.0.0.1' } },
    )
    const from = file.slice(folder.length + 1)
    expect(problems).toEqual([
      `wokers: is no setting (from ${from}); did you mean workers?`,
      'log: "debug" must be a group of settings: level, format',
      `warehouse: is no setting (from ${from})`,
      `projects.creator: is no setting (from ${from}); did you mean projects.creators?`,
      'listen.address: "127.0.0.1" (from the command line) must be an address and a port, such as 127.0.0.1:5000, [::]:5000 or 0.0.0.0:5000',
      'publicUrl: "https://example.com/registry" (from ENTREPOT_PUBLIC_URL) must be a web address without a path, such as https://registry.example.com',
      'workers: "many" (from ENTREPOT_WORKERS) must be a whole number from 1 to 64',
      'tokens.lifetime: "5 fortnights" (from ENTREPOT_TOKENS_LIFETIME) must be a duration from 60s to 1h, such as 90s, 5m, 1h30m or 7d',
      'trustedProxies: "10.0.0.0/33" (from ENTREPOT_TRUSTED_PROXIES) must be a list of IP addresses or ranges, such as 10.0.0.0/8 or fd00::1',
      'listen.tls.key: must be set too, because listen.tls.cert is: HTTPS needs both files',
    ])
  })

  test('never show a secret', () => {
    const problems = problemsOf({
      ENTREPOT_SEALING_KEY: 'hunter2',
      ENTREPOT_DATABASE_URL: 'mysql://u:hunter2@h/d',
    })
    expect(problems).toHaveLength(2)
    expect(problems.join()).not.toContain('hunter2')
  })

  test('a certificate and a self-signed one exclude each other', () => {
    const problems = problemsOf({
      ENTREPOT_LISTEN_TLS_CERT: 'a',
      ENTREPOT_LISTEN_TLS_KEY: 'b',
      ENTREPOT_LISTEN_TLS_SELF_SIGNED: 'true',
    })
    expect(problems).toEqual([
      'listen.tls.selfSigned: true (from ENTREPOT_LISTEN_TLS_SELF_SIGNED) must be false where a certificate is named',
    ])
  })

  test('a secret given twice, and a file that is not there', () => {
    const twice = { ENTREPOT_ADMIN_PASSWORD: 'a', ENTREPOT_ADMIN_PASSWORD_FILE: '/nowhere' }
    expect(problemsOf(twice)[0]).toContain('given twice')
    expect(problemsOf({ ENTREPOT_METRICS_TOKEN_FILE: '/nowhere' })[0]).toContain('no such file')
    expect(problemsOf({}, { file: '/nowhere' })[0]).toContain('no such file')
  })

  test('a file that is no YAML', () => {
    expect(problemsOf({}, { file: fileWith('a: [1\nb: }') })[0]).toContain('is no YAML')
  })
})

describe('unknown variables', () => {
  test('a slip of the pen is a problem', () => {
    expect(problemsOf({ ENTREPOT_LISTN: ':80' })).toEqual([
      'ENTREPOT_LISTN: is no setting; did you mean ENTREPOT_LISTEN?',
    ])
  })

  test('anything else is only told', () => {
    expect(load({ ENTREPOT_IMAGE_VERSION: '1' }).warnings).toEqual([
      'ENTREPOT_IMAGE_VERSION is no setting and was ignored',
    ])
  })

  test('those that Kubernetes makes for a service of our name are not told', () => {
    const environment = {
      ENTREPOT_PORT: 'tcp://10.0.0.1:5000',
      ENTREPOT_PORT_5000_TCP: 'tcp://10.0.0.1:5000',
      ENTREPOT_PORT_5000_TCP_ADDR: '10.0.0.1',
      ENTREPOT_SERVICE_HOST: '10.0.0.1',
      ENTREPOT_SERVICE_PORT_HTTP: '5000',
      ENTREPOT_DB_SERVICE_HOST: '10.0.0.2',
    }
    expect(load(environment).warnings).toEqual([])
  })
})

describe('what is shown of settings', () => {
  test('values with their origin, without secrets, and readable again', () => {
    const environment = {
      ENTREPOT_DATABASE_URL: 'postgres://u:hunter2@db/entrepot',
      ENTREPOT_ADMIN_PASSWORD: 'hunter2',
      ENTREPOT_WORKERS: '2',
    }
    const printed = printConfig(load(environment))
    expect(printed).not.toContain('hunter2')
    expect(printed).toContain('workers: "2" # from ENTREPOT_WORKERS')
    expect(printed).toContain('postgres://u:[redacted]@db/entrepot')
    expect(printed).toContain('idleTimeout: 5m')
    expect(load({}, { file: fileWith(printed) }).config.workers).toBe(2)
  })

  test('the reference is the one of the schema', () => {
    const file = join(import.meta.dir, '../../docs/configuration.md')
    expect(readFileSync(file, 'utf8')).toBe(describeSettings())
  })

  test('every setting has a form and a description', () => {
    for (const { key, schema, meta } of SETTINGS) {
      expect(meta.description, key).toEndWith('.')
      expect(schema.safeParse(null).error?.issues[0]?.message, key).toMatch(/\w/)
    }
  })
})

describe('a bucket', () => {
  test('is needed for the driver s3, and a key with its secret', () => {
    const environment = {
      ENTREPOT_STORAGE_DRIVER: 's3',
      ENTREPOT_STORAGE_S3_ACCESS_KEY_ID: 'an-id',
      ENTREPOT_STORAGE_S3_CACHE_SIZE: '10MB',
    }
    expect(problemsOf(environment)).toEqual([
      'storage.s3.cacheSize: "10MB" (from ENTREPOT_STORAGE_S3_CACHE_SIZE) must be a number of bytes from 100MB on, such as 500MB, 10GiB or 1TB',
      'storage.s3.bucket: must be set too, because storage.driver is s3',
      'storage.s3.secretAccessKey: must be set too, because storage.s3.accessKeyId is',
    ])
  })

  test('has room for copies in bytes, however they are written', () => {
    const cacheSize = (value: string) =>
      load({ ENTREPOT_STORAGE_S3_CACHE_SIZE: value }).config.storage.s3.cacheSize
    expect(['100MB', '1.5 GiB', '2gb', '123456789'].map(cacheSize)).toEqual([
      100_000_000, 1_610_612_736, 2_000_000_000, 123_456_789,
    ])
  })

  test('keeps its secret to itself', () => {
    const secret = { ENTREPOT_STORAGE_S3_SECRET_ACCESS_KEY: 'do-not-show' }
    expect(
      printConfig(load({ ...secret, ENTREPOT_STORAGE_S3_ACCESS_KEY_ID: 'an-id' })),
    ).not.toContain('do-not-show')
  })
})
