import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { PROVIDER_NAMES } from '../../client/provider.ts'
import { isAppError } from '../../lib/errors.ts'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { hostAndPort, parseAddress, spokenAddress } from './address.ts'
import { parseCertificates } from './certificate.ts'
import { checkName, checkSecret, checkSettings } from './settings.ts'
import { BY_ADMIN, createTestRegistries, PLANTED } from './test-registries.ts'

/** The field and the sentence of a refusal; `none` when there is none. */
function refusalOf(work: () => unknown): string {
  try {
    work()
    return 'none'
  } catch (error) {
    if (!isAppError(error, 'invalid_input')) throw error
    return `${error.details.field}: ${error.message}`
  }
}

const native = { provider: 'native', address: 'https://a.example.com' } as const

describe('addresses', () => {
  test.each([
    ['https://harbor.example.com', 'https://harbor.example.com'],
    [' HTTPS://Harbor.Example.com/ ', 'https://harbor.example.com'],
    ['http://10.1.2.3:8080//', 'http://10.1.2.3:8080'],
    ['https://a.example.com:443', 'https://a.example.com:443'],
    ['https://[fd00::1]:5000', 'https://[fd00::1]:5000'],
    ['https://gar.example.com/team-1/Images_2', 'https://gar.example.com/team-1/Images_2'],
    ['http://localhost', 'http://localhost'],
  ])('%s is kept as %s', (raw, kept) => {
    expect(parseAddress(raw)).toBe(kept)
    expect(parseAddress(kept)).toBe(kept)
  })

  test.each([
    ['', 'begin with https'],
    ['harbor.example.com', 'begin with https'],
    ['ftp://harbor.example.com', 'begin with https'],
    ['//harbor.example.com', 'begin with https'],
    ['javascript:alert(1)', 'begin with https'],
    ['https://', 'name a host'],
    ['https:///path', 'name a host'],
    ['https://a b', 'name a host'],
    ['https://a.example.com:', 'name a host'],
    ['https://a.example.com:99999', 'name a host'],
    ['https://a.example.com:port', 'name a host'],
    ['https://a.example.com\\@b.example.com', 'must not hold a user'],
    ['https://a\\b', 'name a host'],
    ['https://%61.example.com', 'name a host'],
    ['https://2130706433', 'name a host'],
    ['https://127.1', 'name a host'],
    ['https://0x7f.0.0.1', 'name a host'],
    ['https://a.example.com:0', 'another port than 0'],
    [`https://user:${PLANTED}@a.example.com`, 'must not hold a user'],
    [`https://a.example.com?token=${PLANTED}`, 'before "?"'],
    [`https://a.example.com/?token=${PLANTED}`, 'before "?"'],
    ['https://a.example.com/#x', 'before "?"'],
    ['https://a.example.com/../b', 'plain path'],
    ['https://a.example.com/a//b', 'plain path'],
    ['https://a.example.com/%2e%2e/b', 'plain path'],
    [`https://${'a'.repeat(600)}`, 'at most 512'],
  ])('%s is refused', (raw, rule) => {
    const refusal = refusalOf(() => parseAddress(raw))
    expect(refusal).toStartWith('address: the address ')
    expect(refusal).toContain(rule)
    expect(refusal).not.toContain(PLANTED)
  })

  test('what is kept is what a URL parser makes of it', () => {
    const piece = fc.constantFrom(...'ab1.-_:/@?#[]%\\ \t\u00e9'.split(''), 'http://', 'https://')
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(text, (raw) => {
        let kept: string
        try {
          kept = parseAddress(`https://${raw}`)
        } catch (error) {
          expect(isAppError(error, 'invalid_input')).toBe(true)
          return
        }
        const url = new URL(kept)
        expect([url.username, url.password, url.search, url.hash]).toEqual(['', '', '', ''])
        expect(kept).toStartWith(`https://${url.hostname}`)
        expect(kept).toEndWith(url.pathname === '/' ? '' : url.pathname)
      }),
      { seed: 20_260_301, numRuns: 3_000 },
    )
  })

  test('plain HTTP is for those that people run themselves', () => {
    const plain = PROVIDER_NAMES.filter((provider) =>
      spokenAddress(provider, 'http://a.example.com').startsWith('http:'),
    )
    expect(plain.sort()).toEqual(['harbor', 'jfrog', 'native', 'nexus'])
    expect(hostAndPort('http://a.example.com')).toBe('a.example.com:80')
    expect(hostAndPort('https://a.example.com:443/x')).toBe('a.example.com:443')
    expect(hostAndPort('https://[fd00::1]')).toBe('[fd00::1]:443')
  })
})

describe('regions and namespaces', () => {
  const region = (settings: Parameters<typeof checkSettings>[0]) => checkSettings(settings).region

  test('ECR needs one, SWR has it in its address', () => {
    const ecr = { provider: 'ecr', address: 'https://1.dkr.ecr.eu-west-1.amazonaws.com' } as const
    expect(refusalOf(() => region(ecr))).toBe('region: region is a required field for ECR provider')
    expect(region({ ...ecr, region: ' eu-west-1 ' })).toBe('eu-west-1')
    const swr = { provider: 'swr', address: 'https://swr.cn-east-3.myhuaweicloud.com' } as const
    expect(region(swr)).toBe('cn-east-3')
    expect(region({ ...swr, region: 'cn-north-4' })).toBe('cn-north-4')
    expect(refusalOf(() => region({ ...swr, address: 'https://swr.example' }))).toContain('region:')
    expect(region(native)).toBe('')
    // It becomes part of host names.
    for (const bad of ['a.b', 'a/b', 'a@b', 'a b', '-a', 'a'.repeat(65), 'a#']) {
      expect(refusalOf(() => region({ ...ecr, region: bad }))).toStartWith('region: ')
    }
  })

  test('a namespace is what may stand before an image name', () => {
    const namespace = (text: string) => checkSettings({ ...native, namespace: text }).namespace
    for (const good of ['', 'koderover', 'my-project/my-repo', 'a/b/c', 'a__b', 'a'.repeat(255)]) {
      expect(namespace(good)).toBe(good)
    }
    expect(namespace(' team ')).toBe('team')
    for (const bad of ['Team', '/a', 'a/', 'a//b', '../a', 'a b', 'a:b', 'é', 'a'.repeat(256)]) {
      expect([bad, refusalOf(() => namespace(bad))]).toEqual([
        bad,
        expect.stringMatching(/^namespace: /),
      ])
    }
  })
})

test('texts end where they must', () => {
  const check = (field: string, value: string) => () => checkSettings({ ...native, [field]: value })
  for (const [field, most] of [
    ['accessKey', 512],
    ['notes', 4_096],
    ['enterpriseProjectId', 256],
    ['connectClusterId', 64],
    ['scanNamespace', 128],
  ] as const) {
    expect(refusalOf(check(field, 'é'.repeat(most)))).toBe('none')
    expect(refusalOf(check(field, 'é'.repeat(most + 1)))).toStartWith(`${field}: `)
    expect(refusalOf(check(field, 'a\u0000'))).toStartWith(`${field}: `)
  }
  expect(refusalOf(check('accessKey', 'a:b'))).toStartWith('accessKey: ')
  expect(refusalOf(check('provider', 'docker'))).toStartWith('provider: the provider must be one')

  expect(checkName(' \u{1f680}'.repeat(64))).toHaveLength(64 * 3 - 1)
  expect(refusalOf(() => checkName('a'.repeat(129)))).toStartWith('name: ')
  for (const bad of ['', ' ', 'self', 'Self', 'a\nb']) {
    expect(refusalOf(() => checkName(bad))).toStartWith('name: ')
  }
  expect(refusalOf(() => checkSecret('s'.repeat(16_384)))).toBe('none')
  expect(refusalOf(() => checkSecret('{\n\t"key": 1\r\n}'))).toBe('none')
  for (const bad of [PLANTED + 's'.repeat(16_384), `${PLANTED}\u0000`, `${PLANTED}\ud800`]) {
    const refusal = refusalOf(() => checkSecret(bad))
    expect(refusal).toStartWith('secret: ')
    expect(refusal).not.toContain(PLANTED)
  }
})

describe('CA certificates', () => {
  const { cert, key } = createSelfSigned({ names: ['r.example.com'], now: 0, days: 9 })
  const body = cert.split('\n').slice(1, -2).join('\n')

  test('are kept one after the other, without what stands between', () => {
    expect(parseCertificates(cert)).toBe(cert)
    expect(parseCertificates(`subject=x\r\n${cert.replaceAll('\n', '\r\n')} # end\n${cert}`)).toBe(
      cert + cert,
    )
    expect(parseCertificates(' \n')).toBeUndefined()
  })

  test.each([
    ['*********', 'is not PEM'],
    [body, 'is not PEM'],
    [cert.slice(0, -20), 'is not PEM'],
    [`-----BEGIN CERTIFICATE-----\n${body.slice(20)}\n-----END CERTIFICATE-----`, 'block 1 is no'],
    [`${cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, 'block 2 is no'],
    [cert + key, 'holds a private key'],
    [`${cert}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----`, 'holds a PUBLIC KEY'],
    [cert.repeat(65), 'at most 64'],
    ['-----BEGIN '.repeat(20_000), 'at most 131072'],
  ])('%# is refused', (pem, rule) => {
    const refusal = refusalOf(() => parseCertificates(pem))
    expect(refusal).toStartWith('caCertificate: the CA certificate ')
    expect(refusal).toContain(rule)
    expect(refusal).not.toContain(key.split('\n')[1] ?? '')
  })
})

test('times of syncs are five cron fields that come true', async () => {
  const hub = await createTestRegistries()
  try {
    const { id } = await hub.add('timed', { syncCron: ' 30 */6 * * * ' })
    const cronOf = async () => (await hub.registries.get(id))?.syncCron
    expect(await cronOf()).toBe('30 */6 * * *')
    await hub.registries.update(id, { notes: 'n' }, BY_ADMIN)
    expect(await cronOf()).toBe('30 */6 * * *')
    for (const syncCron of ['x', '* * * *', '0 * * * * *', '61 * * * *', '0 0 31 2 *', '@daily']) {
      expect(hub.registries.update(id, { syncCron }, BY_ADMIN)).rejects.toThrow('cron fields')
    }
    await hub.registries.update(id, { syncTimeZone: 'Asia/Shanghai' }, BY_ADMIN)
    expect((await hub.registries.get(id))?.syncTimeZone).toBe('Asia/Shanghai')
    for (const syncTimeZone of ['Mars/Olympus', '+08:00', '', 'x'.repeat(80)]) {
      expect(hub.registries.update(id, { syncTimeZone }, BY_ADMIN)).rejects.toThrow('time zone')
    }
    await hub.registries.update(id, { syncCron: null }, BY_ADMIN)
    expect(await cronOf()).toBeNull()
  } finally {
    await hub.remove()
  }
})
