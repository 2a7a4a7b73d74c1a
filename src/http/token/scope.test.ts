import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatScopes, parseScopes } from './scope.ts'

const parsed = (...parameters: string[]) => formatScopes(parseScopes(parameters))

describe('a scope', () => {
  test('keeps its name and the order of its actions', () => {
    expect(parsed('repository:a/b:push,pull')).toBe('repository:a/b:push,pull')
    expect(parseScopes(['repository:a/b:pull'])).toEqual([
      { type: 'repository', name: 'a/b', actions: ['pull'] },
    ])
  })

  test('may have a host and port in its name, which are not part of it', () => {
    expect(parsed('repository:localhost:5000/a/b:pull')).toBe('repository:a/b:pull')
    expect(parsed('repository:host.example.com:443/hello:pull')).toBe('repository:hello:pull')
    expect(parsed('repository:host.example.com/a/b:pull')).toBe(
      'repository:host.example.com/a/b:pull',
    )
  })

  test('of all actions means all that there are', () => {
    expect(parsed('repository:a/b:*')).toBe('repository:a/b:pull,push,delete')
    expect(parsed('repository:a/b:pull,*')).toBe('repository:a/b:pull,push,delete')
    expect(parsed('registry:catalog:*')).toBe('registry:catalog:*')
  })

  test('may have a class', () => {
    expect(parsed('repository(plugin):a/b:pull,push')).toBe('repository:a/b:pull,push')
  })

  test('several come as several parameters, in one, or both', () => {
    const expected = 'repository:a/b:pull,push repository:c/d:pull'
    expect(parsed('repository:a/b:pull,push repository:c/d:pull')).toBe(expected)
    expect(parsed('repository:a/b:pull,push', 'repository:c/d:pull')).toBe(expected)
    expect(parsed(' repository:a/b:pull  repository:c/d:pull', 'repository:a/b:push,pull')).toBe(
      expected,
    )
  })

  test('asks for nothing when it is malformed or unknown, and spoils no other', () => {
    const nothing = [
      '',
      'repository',
      'repository:a/b',
      'repository::pull',
      'repository:a/b:',
      'repository:a/b:,',
      'repository:a/b:metadata_read',
      'repository:a/b:PULL',
      'Repository:a/b:pull',
      'repository():a/b:pull',
      'repository(plugin:a/b:pull',
      'registry:catalog:pull',
      'system:settings:*',
      '*:*:*',
      ':a/b:pull',
      'repository:a/b:pull\n',
    ]
    for (const scope of nothing) {
      expect([scope, parsed(scope)]).toEqual([scope, ''])
      expect(parsed(scope, 'repository:c/d:pull')).toBe('repository:c/d:pull')
    }
  })

  test('with a line break or a wildcard in its name has a name that no repository has', () => {
    expect(parseScopes(['repository:a/b:pull\nrepository:c/d:push'])).toEqual([
      { type: 'repository', name: 'a/b:pull\nrepository:c/d', actions: ['push'] },
    ])
    expect(parseScopes(['repository:*:pull'])[0]?.name).toBe('*')
  })
})

describe('limits', () => {
  test('a hundred scopes are read, more are refused', () => {
    const scopes = Array.from({ length: 101 }, (_, i) => `repository:p/r${i}:pull`)
    expect(parseScopes(scopes.slice(0, 100)).length).toBe(100)
    expect(parseScopes([scopes.slice(0, 100).join(' ')]).length).toBe(100)
    expect(() => parseScopes(scopes)).toThrow('at most 100 scopes')
    expect(() => parseScopes([scopes.join(' ')])).toThrow('at most 100 scopes')
  })

  test('as are very long ones', () => {
    expect(() => parseScopes([`repository:${'a'.repeat(20_000)}:pull`])).toThrow('16384')
  })
})

describe('whatever is sent', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'repository',
      'registry',
      ':',
      '::',
      ',',
      '*',
      '/',
      'pull',
      'push',
      '(',
      ')',
      ' ',
      '\n',
      '\u0000',
      'localhost:5000/',
      'a/b',
      'catalog',
    ),
    fc.string({ maxLength: 6, unit: 'binary' }),
  )
  const noise = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))

  test('comes out as known types and actions, each resource once, and reads the same again', () => {
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 4 }), (parameters) => {
        const scopes = parseScopes(parameters)
        const keys = scopes.map(({ type, name }) => `${type}:${name}`)
        expect(new Set(keys).size).toBe(keys.length)
        for (const { type, name, actions } of scopes) {
          const known = type === 'repository' ? ['pull', 'push', 'delete'] : ['*']
          expect(actions.length).toBeGreaterThan(0)
          expect(new Set(actions).size).toBe(actions.length)
          for (const action of actions) expect(known).toContain(action)
          expect(name).not.toBe('')
          expect(name).not.toContain(' ')
          if (!/^[^/:]+:\d+\//.test(name)) {
            expect(parseScopes([formatScopes([{ type, name, actions }])])).toEqual([
              { type, name, actions },
            ])
          }
        }
      }),
    )
  })

  test('a well-formed one survives any neighbour', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,8}$/)
    const name = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
    const host = fc.constantFrom('', 'localhost:5000/', 'r.example.com:443/')
    fc.assert(
      fc.property(name, host, noise, (repository, prefix, neighbour) => {
        const scopes = parseScopes([neighbour, `repository:${prefix}${repository}:pull,push`])
        const found = scopes.find((s) => s.type === 'repository' && s.name === repository)
        expect(found?.actions).toEqual(expect.arrayContaining(['pull', 'push']))
      }),
    )
  })
})
