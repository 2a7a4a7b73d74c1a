import { describe, expect, test } from 'bun:test'
import { PROVIDER_NAMES } from '../provider.ts'
import { PROVIDERS } from './providers.ts'
import { contextOf } from './test-cloud.ts'

test('every provider has its entry under its own name', () => {
  for (const name of PROVIDER_NAMES) expect(PROVIDERS[name].name).toBe(name)
  expect(Object.keys(PROVIDERS).length).toBe(PROVIDER_NAMES.length)
})

describe('where the registry is', () => {
  const urlOf = (provider: keyof typeof PROVIDERS, address: string) =>
    PROVIDERS[provider].registryUrl(contextOf({ provider, address }).endpoint)

  test.each([
    ['native', 'http://registry.local:5000', 'http://registry.local:5000'],
    ['harbor', 'https://example.com/harbor/', 'https://example.com/harbor'],
    ['nexus', 'http://10.0.0.3:8083', 'http://10.0.0.3:8083'],
    ['jfrog', 'https://team.jfrog.io', 'https://team.jfrog.io'],
    ['gitlab', 'https://gitlab.example.com:5050', 'https://gitlab.example.com:5050'],
    ['quay', 'https://quay.io', 'https://quay.io'],
  ] as const)('%s keeps its own address %s', (provider, address, expected) => {
    expect(urlOf(provider, address)).toBe(expected)
  })

  test.each([
    [
      'acr',
      'http://registry.cn-shanghai.aliyuncs.com',
      'https://registry.cn-shanghai.aliyuncs.com',
    ],
    ['swr', 'http://swr.cn-east-3.myhuaweicloud.com/', 'https://swr.cn-east-3.myhuaweicloud.com'],
    [
      'ecr',
      'https://1.dkr.ecr.eu-west-1.amazonaws.com/team',
      'https://1.dkr.ecr.eu-west-1.amazonaws.com',
    ],
    ['tcr', 'http://team.tencentcloudcr.com', 'https://team.tencentcloudcr.com'],
    ['ghcr', 'http://ghcr.io', 'https://ghcr.io'],
    ['azure', 'http://team.azurecr.io', 'https://team.azurecr.io'],
  ] as const)('%s is spoken to over HTTPS, without a path: %s', (provider, address, expected) => {
    expect(urlOf(provider, address)).toBe(expected)
  })

  test.each(['quay', 'gitlab'] as const)('%s keeps its address, but not plain HTTP', (provider) => {
    const expected = 'https://example.com:5050/registry'
    expect(urlOf(provider, 'http://example.com:5050/registry/')).toBe(expected)
  })

  test.each([
    'https://docker.io',
    'http://index.docker.io/v1/',
    'https://hub.docker.com',
    'https://registry-1.docker.io',
    'https://registry.hub.docker.com',
  ])('%s is the registry of Docker Hub', (address) => {
    expect(urlOf('dockerhub', address)).toBe('https://registry-1.docker.io')
  })

  test('what only looks like Docker Hub is not', () => {
    expect(urlOf('dockerhub', 'https://docker.io.example.com')).toBe(
      'https://docker.io.example.com',
    )
  })
})

describe('keys as they are', () => {
  const plain = [
    'native',
    'harbor',
    'nexus',
    'jfrog',
    'dockerhub',
    'azure',
    'quay',
    'ghcr',
  ] as const
  const rest = ['gitlab', 'acr', 'acr-enterprise', 'tcr', 'tcr-enterprise'] as const

  test.each([...plain, ...rest])('%s logs in with user and password', async (provider) => {
    const address = 'https://registry.example.com'
    const keys = { accessKey: 'robot$ci', secretKey: 'a secret' }
    const login = await PROVIDERS[provider].login(contextOf({ provider, address, ...keys }))
    expect(login).toEqual({ username: 'robot$ci', password: 'a secret' })
    expect(await PROVIDERS[provider].login(contextOf({ provider, address }))).toBeUndefined()
  })
})
