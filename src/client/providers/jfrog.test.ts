import { afterEach, describe, expect, test } from 'bun:test'
import { isAppError } from '../../lib/errors.ts'
import { jfrog } from './jfrog.ts'
import { contextOf, manyNames } from './test-cloud.ts'
import { type ArtifactoryCloud, startArtifactory } from './test-cloud-artifactory.ts'
import { failureOf, listAll } from './test-listing.ts'

const user = { accessKey: 'somebody', secretKey: 'AKCp8example' }
let cloud: ArtifactoryCloud | undefined
afterEach(() => cloud?.stop())

function start(): ArtifactoryCloud {
  cloud = startArtifactory({ user: user.accessKey, secret: user.secretKey })
  const { repositories } = cloud
  repositories.set('docker-local', { packageType: 'docker', images: manyNames('app', 2100) })
  repositories.set('maven', { packageType: 'maven', images: ['never'] })
  repositories.set('oci-local', { packageType: 'oci', images: ['team/tool'] })
  return cloud
}

function contextFor(endpoint: object = {}) {
  return contextOf({ provider: 'jfrog', address: cloud?.url ?? '', ...user, ...endpoint })
}

/** As if the name led to the local server: subdomains are how keys are routed. */
function throughHost(name: string) {
  const context = contextFor({ address: `http://${name}` })
  const { fetch } = context
  return {
    ...context,
    fetch: (url: string, options?: Parameters<typeof fetch>[1]) =>
      fetch(url.replace(`http://${name}`, cloud?.url ?? ''), options),
  }
}

describe('listing', () => {
  const docker = manyNames('docker-local/app', 2100)

  test('walks the keys of containers, each with its pages', async () => {
    start()
    const all = { repositories: [...docker, 'oci-local/team/tool'], pages: 4 }
    expect(await listAll(jfrog, contextFor())).toEqual(all)
    // The address of Artifactory itself is meant as well.
    expect(await listAll(jfrog, contextFor({ address: `${cloud?.url}/artifactory` }))).toEqual(all)
  })

  test('keeps to a key', async () => {
    start()
    const list = async (namespace: string) => listAll(jfrog, contextFor({ namespace }))
    expect((await list('oci-local')).repositories).toEqual(['oci-local/team/tool'])
    expect((await list('docker-local')).repositories.length).toBe(2100)
    expect((await list('nothing')).repositories).toEqual([])
  })

  test.each(['oci-local.example.com', 'team-oci-local.jfrog.example'])(
    'at %s the key is no part of the name',
    async (host) => {
      start()
      expect((await listAll(jfrog, throughHost(host))).repositories).toEqual(['team/tool'])
    },
  )

  test('is left to the catalog where the API is not to be had', async () => {
    start().isHidden = true
    expect(await jfrog.listRepositories?.(contextFor(), {})).toBeUndefined()
  })

  test('tells what limits it', async () => {
    start().throttled = 1
    const error = await failureOf(listAll(jfrog, contextFor()))
    expect(isAppError(error, 'rate_limited')).toBe(true)
  })
})

describe('before a push', () => {
  test('the key is made once', async () => {
    const { repositories, seen } = start()
    for (let times = 0; times < 2; times += 1) {
      await jfrog.ensureRepository?.(contextFor(), 'new-local/app')
    }
    expect(repositories.get('new-local')?.packageType).toBe('docker')
    expect(seen.filter(({ method }) => method === 'PUT').length).toBe(1)
  })

  test('at a host of its own nothing is made', async () => {
    const { repositories } = start()
    await jfrog.ensureRepository?.(throughHost('oci-local.example.com'), 'team/app')
    expect([...repositories.keys()]).toEqual(['docker-local', 'maven', 'oci-local'])
  })

  test('says whom to ask when the account may not', async () => {
    start().isAdministrator = false
    const error = await failureOf(jfrog.ensureRepository?.(contextFor(), 'new-local/app'))
    expect(isAppError(error, 'remote_denied')).toBe(true)
    expect(error.message).toContain('ask an administrator of Artifactory')
  })

  test('a wrong key is left to the push, which is refused as well', async () => {
    start()
    await jfrog.ensureRepository?.(contextFor({ secretKey: 'another one' }), 'new-local/app')
  })
})
