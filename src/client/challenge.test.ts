import { expect, test } from 'bun:test'
import { chooseChallenge, parseChallenges } from './challenge.ts'
import { parseRateBudget, parseRetryAfter } from './rate-limit.ts'
import { uniteScopes } from './scopes.ts'
import { isSameSite, isTrustedRealm } from './trusted-realm.ts'

/* What is read from headers, and who is trusted by its name. */

test.each([
  ['', []],
  ['Basic realm="a, b"', [['basic', { realm: 'a, b' }]]],
  ['basic', [['basic', {}]]],
  [
    'Bearer realm="https://a.test/token",service="s",scope="repository:a/b:pull,push"',
    [
      [
        'bearer',
        { realm: 'https://a.test/token', service: 's', scope: 'repository:a/b:pull,push' },
      ],
    ],
  ],
  [
    'BEARER Scope="x" , SERVICE=reg , realm=https://a.test/t?x=1&y=2',
    [['bearer', { scope: 'x', service: 'reg', realm: 'https://a.test/t?x=1&y=2' }]],
  ],
  [
    'Negotiate dGVzdA==, Basic realm="x", Bearer realm="https://a.test"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
      ['bearer', { realm: 'https://a.test' }],
    ],
  ],
  ['Bearer realm="say \\"hi\\", and \\\\"', [['bearer', { realm: 'say "hi", and \\' }]]],
  ['Bearer realm="never closed', [['bearer', { realm: 'never closed' }]]],
  ['Bearer realm="a",realm="b"', [['bearer', { realm: 'a' }]]],
  [',,= , Basic realm=""', [['basic', { realm: '' }]]],
] as const)('the challenge %s', (header, expected) => {
  const found = parseChallenges(header).map(({ scheme, parameters }) => [scheme, parameters])
  expect<unknown>(found).toEqual(expected)
})

test('Bearer is answered before Basic, but not without a realm', () => {
  const choose = (header: string) => chooseChallenge(parseChallenges(header))?.scheme
  expect(choose('Basic realm="x", Bearer realm="https://a.test"')).toBe('bearer')
  expect(choose('Bearer service="s", Basic realm="x"')).toBe('basic')
  expect(choose('Negotiate')).toBeUndefined()
})

test('scopes of one resource become one, whatever their order', () => {
  expect(
    uniteScopes(['repository:b:push,pull', 'registry:catalog:*'], ['repository:b:delete']),
  ).toEqual(['registry:catalog:*', 'repository:b:delete,pull,push'])
  expect(uniteScopes(['repository:host:5000/a:pull'], [])).toEqual(['repository:host:5000/a:pull'])
})

test.each([
  ['registry.example.com', 'REGISTRY.example.com.', true],
  ['registry.example.com', 'auth.example.com', true],
  ['registry.example.com', 'example.com', true],
  ['registry.example.com', 'example.org', false],
  ['registry.example.com', 'registry.example.com.evil.test', false],
  ['registry.example.co.uk', 'auth.example.co.uk', true],
  ['a.co.uk', 'b.co.uk', false],
  ['a.com.cn', 'b.com.cn', false],
  ['team.jfrog.io', 'other.jfrog.io', false],
  ['docker.team.jfrog.io', 'team.jfrog.io', true],
  ['a.azurecr.io', 'b.azurecr.io', false],
  // Below a region there are registries of all customers, and functions that collect what comes.
  ['1.dkr.ecr.eu-west-1.amazonaws.com', '1.dkr.ecr.eu-west-1.amazonaws.com', true],
  ['1.dkr.ecr.eu-west-1.amazonaws.com', 'x.execute-api.eu-west-1.amazonaws.com', false],
  ['swr.cn-north-4.myhuaweicloud.com', 'bucket.obs.cn-north-4.myhuaweicloud.com', false],
  ['a.fly.dev', 'b.fly.dev', false],
  ['registry.a.up.railway.app', 'auth.a.up.railway.app', true],
  ['registry.a.ts.net', 'registry.b.ts.net', false],
  ['a.ns.svc.cluster.local', 'b.other.svc.cluster.local', false],
  ['harbor', 'auth', false],
  ['10.0.0.1', '20.0.0.1', false],
  ['10.0.0.1', '10.0.0.1', true],
  ['[fd00::1]', '[fd00::2]', false],
] as const)('%s and %s belong to one party: %p', (a, b, expected) => {
  expect(isSameSite(a, b)).toBe(expected)
})

test.each([
  ['https://auth.docker.io/token', 'https://registry-1.docker.io', true],
  [
    'https://dockerauth.cn-hangzhou.aliyuncs.com/auth',
    'https://registry.cn-hangzhou.aliyuncs.com',
    true,
  ],
  [
    'https://bucket.oss-cn-hangzhou.aliyuncs.com/',
    'https://registry.cn-hangzhou.aliyuncs.com',
    false,
  ],
  ['https://gitlab.example.com/jwt/auth', 'https://registry.gitlab.example.com', true],
  ['https://a.test:8443/token', 'https://a.test', true],
  ['http://a.test/token', 'https://a.test', false],
  ['https://a.test/token', 'http://a.test', true],
  ['https://evil.test/token', 'https://a.example', false],
] as const)('%s gets the login of %s: %p', (realm, registry, expected) => {
  expect(isTrustedRealm(new URL(realm), new URL(registry))).toBe(expected)
})

test('an administrator can trust any other', () => {
  const [realm, registry] = [new URL('https://sso.corp.test/token'), new URL('https://a.example')]
  expect(isTrustedRealm(realm, registry, ['sso.corp.test'])).toBe(true)
  expect(isTrustedRealm(realm, registry, ['corp.test', 'sso.corp.test:444'])).toBe(false)
})

const NOW = Date.parse('2026-11-21T12:00:00Z')

test.each([
  [{ 'retry-after': '120' }, 120_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'x-retry-after': String(NOW / 1000 + 5) }, 5000],
  [{ 'retry-after': 'soon' }, undefined],
  [{}, undefined],
] as const)('a wait of %j', (headers, expected) => {
  expect(parseRetryAfter(new Headers(headers), NOW)).toBe(expected as number)
})

test.each([
  [
    { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '57;w=21600' },
    { limit: 100, remaining: 57, window: 21_600 },
  ],
  [
    { ratelimit: 'limit=10, remaining=0, reset=30' },
    { limit: 10, remaining: 0, resetAt: NOW + 30_000 },
  ],
  [{ ratelimit: '"default";r=50;t=30' }, { remaining: 50, resetAt: NOW + 30_000 }],
  [
    {
      'x-ratelimit-limit': '60',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': String(NOW / 1000 + 9),
    },
    { limit: 60, remaining: 1, resetAt: NOW + 9000 },
  ],
] as const)('a budget of %j', (headers, expected) => {
  const fields = new Headers(Object.entries(headers) as [string, string][])
  expect(parseRateBudget(fields, NOW)).toEqual({ ...expected, seenAt: NOW })
})

test('no budget is none', () => {
  expect(parseRateBudget(new Headers({ 'ratelimit-policy': '10;w=1' }), NOW)).toBeUndefined()
})
