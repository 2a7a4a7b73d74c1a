import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { parse, parseAllDocuments } from 'yaml'
import type { Login } from '../../client/provider.ts'
import { AppError } from '../../lib/errors.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import {
  createTestRegistries,
  PLANTED,
  type TestRegistries,
} from '../registries/test-registries.ts'
import type { HandoutCaller, HandoutRequest } from './handout-types.ts'
import { createHandouts, type HandoutsDeps } from './handouts.ts'
import { createRegistryLogin } from './registry-login.ts'

const HOUR = 3_600_000

onEachEngine('handing out', (create) => {
  let hub: TestRegistries
  let project: { id: number; name: string }
  let audited: string[]
  beforeEach(async () => {
    hub = await createTestRegistries(create)
    project = { id: await hub.accounts.createProject('shop'), name: 'shop' }
    audited = []
  })
  afterEach(() => hub.remove())

  const caller: HandoutCaller = {
    account: null,
    origin: 'https://entrepot.example.com',
    ownLogin: async () => ({ username: 'dev', password: 'own', expiresAt: 9e12 }),
  }
  const stored: HandoutsDeps['loginTo'] = async ({ endpoint }) => ({
    username: endpoint.accessKey,
    password: endpoint.secretKey,
  })

  function handOut(request: Partial<HandoutRequest>, loginTo: HandoutsDeps['loginTo'] = stored) {
    const { accounts, registries } = hub
    const handouts = createHandouts({ db: accounts.db, clock: accounts.clock, registries, loginTo })
    return handouts.handOut({ project, purpose: 'deploy', ...request }, caller, async (_, out) => {
      audited.push(`${out.registry.name} ${out.expiresAt}`)
    })
  }

  const consumers = () => hub.accounts.db.query.selectFrom('consumer').selectAll().execute()

  test('remembers every use before it answers', async () => {
    const { id } = await hub.add('harbor')
    const { login } = await handOut({ environment: 'prod' })
    expect(login?.password).toBe(PLANTED)
    expect(audited).toEqual(['harbor null'])
    expect(await consumers()).toMatchObject([
      { registry: id, project: project.id, purpose: 'deploy', environment: 'prod' },
    ])
    expect(JSON.stringify(await consumers())).not.toContain(PLANTED)
  })

  test('gives nothing when it cannot be written down', async () => {
    await hub.add('harbor')
    const { accounts, registries } = hub
    const handouts = createHandouts({
      db: accounts.db,
      clock: accounts.clock,
      registries,
      loginTo: stored,
    })
    const broken = handouts.handOut({ project, purpose: 'build' }, caller, async () => {
      throw new Error('no audit')
    })
    await expect(broken).rejects.toThrow('no audit')
    expect(await consumers()).toEqual([])
  })

  test('gives nothing when the provider gives no login', async () => {
    await hub.add('harbor')
    const refused = handOut({}, async () => {
      throw new AppError('unavailable', 'Amazon ECR does not answer')
    })
    await expect(refused).rejects.toThrow('does not answer')
    expect(await consumers()).toEqual([])
    expect(audited).toEqual([])
  })

  describe('asks the scope again after the provider was asked', () => {
    test.each(['taken away', 'deleted'])('%s', async (what) => {
      const { id } = await hub.add('harbor')
      const refused = handOut({ registry: id }, async (opened) => {
        if (what === 'deleted') await hub.registries.remove(id, {})
        else await hub.registries.update(id, { projects: [] }, { mayUsePrivate: false })
        return stored(opened)
      })
      await expect(refused).rejects.toMatchObject({ code: 'not_found' })
      expect(await consumers()).toEqual([])
      expect(audited).toEqual([])
    })
  })

  test('tells that the secret has changed while it was handed out', async () => {
    const { id } = await hub.add('harbor')
    await handOut({}, async (opened) => {
      hub.accounts.pass(5)
      await hub.registries.update(id, { secret: 'new' }, { mayUsePrivate: false })
      return stored(opened)
    })
    expect(await hub.registries.uses(id)).toMatchObject([{ outdated: true }])
  })

  describe('with a login that expires', () => {
    const expiring = (ms: number): HandoutsDeps['loginTo'] => {
      return async (): Promise<Login> => ({
        username: 'AWS',
        password: 'token',
        expiresAt: hub.accounts.clock() + ms,
      })
    }
    const ecr = { provider: 'ecr', region: 'ap-northeast-1', namespace: '' } as const
    const address = 'https://koderover-zadig.dkr.ecr.ap-northeast-1.amazonaws.com'

    test('comes with what fetches the next one', async () => {
      await hub.add('main')
      const { id } = await hub.add('ecr', { ...ecr, address })
      const request = { registry: 'ecr', environment: 'prod', kubernetesNamespace: 'shop' }
      const { refresher, pullSecret, image } = await handOut(
        { ...request, image: 'app:1' },
        expiring(12 * HOUR),
      )
      expect(image).toBe(`${address.slice(8)}/app:1`)
      expect(pullSecret?.metadata).toMatchObject({
        name: `ecr-${id}-registry-secret`,
        namespace: 'shop',
        annotations: { 'entrepot/expires-at': '2026-03-02T00:00:00.250Z' },
      })
      expect(refresher).toMatchObject({
        expiresAt: hub.accounts.clock() + 12 * HOUR,
        everySeconds: 3 * 3600,
      })
      const documents = parseAllDocuments(refresher?.cronJob ?? '').map((one) => one.toJS())
      const container = documents[3].spec.jobTemplate.spec.template.spec.containers[0]
      const env = Object.fromEntries(
        container.env.map((entry: { name: string; value?: string }) => [entry.name, entry.value]),
      )
      expect(env).toMatchObject({
        ENTREPOT_URL: 'https://entrepot.example.com',
        PROJECT: 'shop',
        SECRET_NAME: `ecr-${id}-registry-secret`,
      })
      expect(JSON.parse(env.REQUEST)).toEqual({
        purpose: 'deploy',
        registry: 'ecr',
        environment: 'prod',
        kubernetes: { secretName: `ecr-${id}-registry-secret` },
      })
      expect(parse(refresher?.credentialProvider ?? '').providers[0].args).toEqual([
        ...['use', 'shop', '--registry', 'ecr', '--purpose', 'deploy'],
        ...['--environment', 'prod', '--format', 'kubelet'],
      ])
      for (const text of [refresher?.cronJob, refresher?.credentialProvider]) {
        expect(text).not.toContain('token"')
        expect(text).not.toContain(PLANTED)
      }
    })

    test('goes on with whatever is the default, where that was asked for', async () => {
      await hub.add('ecr', { ...ecr, address })
      const { refresher, pullSecret } = await handOut({}, expiring(HOUR))
      expect(pullSecret?.metadata.name).toBe('default-registry-secret')
      expect(refresher?.everySeconds).toBe(15 * 60)
      expect(refresher?.cronJob).not.toContain('"registry"')
    })
  })

  test('of Entrepot itself remembers no consumer, and needs no registry', async () => {
    const { registry, image, refresher } = await handOut({ registry: 'SELF', image: 'app:1' })
    expect(registry).toMatchObject({ id: 'self', namespace: 'shop' })
    expect(image).toBe('entrepot.example.com/shop/app:1')
    expect(refresher).toBeNull()
    expect(audited).toEqual(['self 9000000000000'])
    expect(await consumers()).toEqual([])
  })

  test('turns keys into a login as the provider says', async () => {
    const loginTo = createRegistryLogin({
      fetch: async () => {
        throw new Error('the long-term login asks nobody')
      },
      clock: hub.accounts.clock,
      userAgent: 'test',
    })
    await hub.add('swr', {
      provider: 'swr',
      address: 'https://swr.cn-east-3.myhuaweicloud.com',
      region: 'cn-east-3',
      accessKey: 'AKEXAMPLE',
      secret: 'SKEXAMPLE',
    })
    const { env } = await handOut({}, loginTo)
    expect(env).toMatchObject({
      DOCKER_REGISTRY_AK: 'cn-east-3@AKEXAMPLE',
      DOCKER_REGISTRY_SK: '0e88cbb99273df9955697b92044912a5883c7ea4463f1cae99013c9478dba7c0',
    })
  })
})
