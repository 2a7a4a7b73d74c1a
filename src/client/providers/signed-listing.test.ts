import { expect, test } from 'bun:test'
import { createGuardedFetch } from '../../lib/guarded-fetch.ts'
import type { ApiService, ProviderName } from '../provider.ts'
import { createRemoteRegistry } from '../remote-registry.ts'
import { PROVIDERS } from './providers.ts'
import type { TestCloud } from './test-cloud.ts'
import { startAlibaba } from './test-cloud-alibaba.ts'
import { startAws } from './test-cloud-aws.ts'
import { startHuawei } from './test-cloud-huawei.ts'
import { startTencent } from './test-cloud-tencent.ts'

/*
 * The client as it is put together, with the guarded fetch, which sets the host itself: what was
 * signed is what arrives.
 */

interface Sample {
  provider: ProviderName
  address: string
  accessKey: string
  services: ApiService[]
  start(keys: { accessKey: string; secretKey: string }): TestCloud & { repositories: Set<string> }
}

const samples: Sample[] = [
  {
    provider: 'ecr',
    address: 'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    accessKey: 'AKIAEXAMPLE',
    services: ['ecr'],
    start: (keys) => startAws({ ...keys, region: 'eu-west-1' }),
  },
  {
    provider: 'tcr-enterprise',
    address: 'https://team.tencentcloudcr.com',
    accessKey: 'AKIDexample',
    services: ['tcr'],
    start: (keys) =>
      startTencent({ ...keys, instance: { name: 'team', id: 'tcr-1', region: 'ap-shanghai' } }),
  },
  {
    provider: 'acr-enterprise',
    address: 'https://team-registry.cn-hangzhou.cr.aliyuncs.com',
    accessKey: 'LTAIexample',
    services: ['acr', 'registry'],
    start: (keys) => startAlibaba({ ...keys, instanceId: 'cri-1' }),
  },
  {
    provider: 'swr',
    address: 'https://swr.cn-north-4.myhuaweicloud.com',
    accessKey: 'HUAWEIEXAMPLE',
    services: ['swr'],
    start: (keys) => startHuawei(keys),
  },
]

test.each(samples)('$provider lists through the client', async (sample) => {
  const { provider, address, accessKey, services, start } = sample
  const cloud = start({ accessKey, secretKey: 'a secret' })
  try {
    cloud.repositories.add('team/app')
    const registry = createRemoteRegistry({
      endpoint: { provider, address, accessKey, secretKey: 'a secret', verifyTls: true },
      provider: PROVIDERS[provider],
      fetch: createGuardedFetch({ allowedNetworks: ['127.0.0.0/8'] }),
      apiUrl: (service) => (services.includes(service) ? cloud.url : undefined),
    })
    expect(await Array.fromAsync(registry.listRepositories())).toEqual([['team/app']])
  } finally {
    await cloud.stop()
  }
})
