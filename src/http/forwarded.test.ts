import { describe, expect, test } from 'bun:test'
import { createForwarded, isHost } from './forwarded.ts'

const direct = { scheme: 'http', host: 'direct:5000' } as const

/** What `createForwarded` makes of these headers. */
function reached(trusted: readonly string[], peer: string, headers: Record<string, string>) {
  return createForwarded(trusted)(new Headers(headers), peer, direct)
}

const claims = {
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'registry.example:8443',
}

describe('forwarded headers', () => {
  test('are believed from trusted proxies only', () => {
    const believed = {
      address: '203.0.113.9',
      scheme: 'https',
      host: 'registry.example:8443',
    } as const
    expect(reached(['10.0.0.0/8'], '10.1.2.3', claims)).toEqual(believed)
    expect(reached(['10.1.2.3'], '::ffff:10.1.2.3', claims)).toEqual(believed)
    expect(reached(['fd00::/8'], 'fd12::1', claims)).toEqual(believed)
    const ignored = { address: '10.1.2.3', ...direct }
    expect(reached([], '10.1.2.3', claims)).toEqual(ignored)
    expect(reached(['10.1.2.4', 'fd00::/8'], '10.1.2.3', claims)).toEqual(ignored)
  })

  test('name as client the last address that is no proxy of ours', () => {
    const address = (hops: string) =>
      reached(['10.0.0.0/8', '::1'], '10.0.0.1', { 'x-forwarded-for': hops }).address
    expect(address('198.51.100.1, 203.0.113.9, 10.0.0.7')).toBe('203.0.113.9')
    expect(address('2001:db8::5, ::1')).toBe('2001:db8::5')
    expect(address('::ffff:203.0.113.9')).toBe('203.0.113.9')
    expect(address('10.0.0.7')).toBe('10.0.0.1')
    expect(address('')).toBe('10.0.0.1')
  })

  test('may carry a port, and what nobody can read is not skipped', () => {
    const address = (hops: string) =>
      reached(['10.0.0.0/8'], '10.0.0.1', { 'x-forwarded-for': hops }).address
    // Azure's gateway writes ports. What stands left of it came from the client itself.
    expect(address('198.51.100.1, 203.0.113.9:51234')).toBe('203.0.113.9')
    expect(address('198.51.100.1, [2001:db8::5]:51234')).toBe('2001:db8::5')
    expect(address('198.51.100.1, [2001:db8::5]')).toBe('2001:db8::5')
    expect(address('198.51.100.1, unknown')).toBe('10.0.0.1')
    expect(address('198.51.100.1, 203.0.113.9:port, 10.0.0.7')).toBe('10.0.0.1')
  })

  test('are not echoed unless they are a scheme and a host', () => {
    for (const host of ['evil"x', 'a b', 'a/b', 'user@host', 'a:port', '[::1', '', 'a\\b']) {
      expect(isHost(host)).toBeFalse()
      const headers = { 'x-forwarded-host': host, 'x-forwarded-proto': 'javascript' }
      expect(reached(['10.0.0.1'], '10.0.0.1', headers)).toEqual({ address: '10.0.0.1', ...direct })
    }
    for (const host of ['registry.example', 'localhost:5000', '10.0.0.1:80', '[fd00::1]:5000']) {
      expect(reached(['10.0.0.1'], '10.0.0.1', { 'x-forwarded-host': host }).host).toBe(host)
    }
    const several = {
      'x-forwarded-host': 'outer.example, inner',
      'x-forwarded-proto': 'https, http',
    }
    expect(reached(['10.0.0.1'], '10.0.0.1', several)).toMatchObject({
      scheme: 'https',
      host: 'outer.example',
    })
  })
})
