import { describe, expect, test } from 'bun:test'
import { createGuardedFetch } from './guarded-fetch.ts'
import { kindOfAddress, rangeList } from './guarded-fetch-address.ts'
import { createNames } from './guarded-fetch-names.ts'
import { failureOf } from './test-failure.ts'

/** Every name is this machine. */
const guarded = createGuardedFetch({
  allowedNetworks: ['127.0.0.0/8'],
  resolve: async () => ['127.0.0.1'],
})

describe('addresses', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['::ffff:8.8.8.8', 'public'],
    ['64:ff9b::808:808', 'public'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['100.103.7.8', 'private'],
    ['fd12::1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['127.9.9.9', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['0:0:0:0:0:ffff:7f00:1', 'loopback'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['::ffff:a9fe:a9fe', 'metadata'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['0.0.0.0', 'reserved'],
    ['::ffff:0:7f00:1', 'reserved'],
    ['::', 'reserved'],
    ['::127.0.0.1', 'reserved'],
    ['2002:7f00:1::', 'reserved'],
    ['2001:0:1::', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['nonsense', 'reserved'],
  ] as const)('%s is %s', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind)
  })

  const targetOf = (text: string) => {
    const url = new URL(text)
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    return { url, hostname, host: url.host, port: url.port || '443' }
  }
  const namesOf = (addresses: string[], allowed: string[] = []) =>
    createNames({ allowed: rangeList(allowed), clock: () => 0, resolve: async () => addresses })

  test('a private one needs exactly its host and port', async () => {
    const names = namesOf(['10.0.0.5'])
    const target = targetOf('https://harbor.corp:8443/')
    expect(await names.addressesOf(target, ['harbor.corp:8443'])).toEqual(['10.0.0.5'])
    for (const allowed of [[], ['harbor.corp:443'], ['harbor.corp'], ['xharbor.corp:8443']]) {
      const failure = await failureOf(names.addressesOf(target, allowed))
      expect(failure).toMatchObject({ code: 'address_refused', kind: 'private' })
      expect(failure.message).toContain('exactly harbor.corp:8443')
      expect(failure.message).not.toContain('10.0.0.5')
    }
    const literal = targetOf('https://[fd00::7]:8443/')
    expect(await names.addressesOf(literal, ['[fd00::7]:8443'])).toEqual(['fd00::7'])
  })

  test('nothing but the setting opens loopback and metadata', async () => {
    for (const address of ['127.0.0.1', '169.254.169.254', 'fd00:ec2::254', '::ffff:127.0.0.1']) {
      const target = targetOf('https://registry.test/')
      const closed = namesOf([address]).addressesOf(target, ['registry.test:443'])
      expect(await failureOf(closed)).toMatchObject({ code: 'address_refused' })
      const open = namesOf([address], ['127.0.0.0/8', '169.254.169.254', 'fd00:ec2::/64'])
      expect(await open.addressesOf(target, [])).toEqual([address])
    }
  })

  test('of several only those that may be asked are', async () => {
    const target = targetOf('https://registry.test/')
    const names = namesOf(['127.0.0.1', '8.8.8.8', '10.0.0.1'])
    expect(await names.addressesOf(target, [])).toEqual(['8.8.8.8'])
  })

  test.each([
    'http://127.0.0.1:1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://localhost:1/',
    'http://0.0.0.0/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
  ])('%s is not asked', async (url) => {
    expect(await failureOf(createGuardedFetch()(url))).toMatchObject({ code: 'address_refused' })
  })

  test.each([
    'file:///etc/passwd',
    'gopher://registry.test/',
    'registry.test',
    'https://u:p@a.test/',
  ])('%s is no address', async (url) => {
    expect(await failureOf(guarded(url))).toMatchObject({ code: 'invalid_input' })
  })

  test('an unknown name is told', async () => {
    const fetch = createGuardedFetch({ resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    const failure = await failureOf(fetch('https://nowhere.test/secret?token=secret'))
    expect(failure).toMatchObject({ code: 'remote_unreachable', problem: 'name' })
    expect(failure.message).not.toContain('secret')
  })
})
