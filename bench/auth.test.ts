import { expect, test } from 'bun:test'
import { parseChallenge, tokenPath } from './auth.ts'

test('challenges of the three kinds', () => {
  expect(parseChallenge('Basic realm="bench"')).toEqual({ scheme: 'basic' })
  expect(parseChallenge('Bearer realm="http://127.0.0.1:5000/token",service="here"')).toEqual({
    scheme: 'bearer',
    realm: 'http://127.0.0.1:5000/token',
    service: 'here',
  })
  expect(() => parseChallenge(null)).toThrow('without a challenge')
  expect(() => parseChallenge('Digest realm="x"')).toThrow('without a challenge')
})

test('a token request keeps the query of the realm', () => {
  const challenge = { scheme: 'bearer', realm: 'http://host/token?a=1', service: 'x y' } as const
  expect(tokenPath(challenge, 'repository:a/b:pull')).toBe(
    '/token?a=1&service=x+y&scope=repository%3Aa%2Fb%3Apull',
  )
})
