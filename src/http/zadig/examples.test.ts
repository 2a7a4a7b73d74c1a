import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { REGISTRIES, startTestZadig, type TestZadig, type ZadigRegistry } from './test-zadig.ts'

setDefaultTimeout(60_000)

/*
 * Every example of Zadig's documents (v1.6 and v3.4), in their order, against the running program.
 * Where they print stars, something stands here that fits.
 */

let zadig: TestZadig
beforeAll(async () => {
  zadig = await startTestZadig()
})
afterAll(() => zadig.stop())

const { cert } = createSelfSigned({ names: ['zadigx.tencentcloudcr.com'], now: 0, days: 9 })

const TENCENT = {
  address: 'https://zadigx.tencentcloudcr.com',
  provider: 'tcr',
  namespace: 'zadigx',
  is_default: true,
  access_key: '100012345678',
  secret_key: 'eyJhbGciOiJSUzI1NiJ9',
  enable_tls: true,
  tls_cert: cert,
}
const NATIVE = {
  registry_id: '6308815592aaaa995e813035',
  address: 'https://ccr.ccs.tencentyun.com',
  provider: 'native',
  region: '',
  namespace: 'koderover-demo',
  is_default: false,
}

const id = expect.stringMatching(/^[0-9a-f]{24}$/)

test('an empty list is a list', async () => {
  const answer = await zadig.call('GET', REGISTRIES)
  expect([answer.status, answer.text()]).toEqual([200, '[]'])
})

test('a registry is integrated, listed, read and updated', async () => {
  const added = await zadig.call('POST', REGISTRIES, { body: TENCENT })
  expect([added.status, added.text()]).toEqual([200, '{"message":"success"}'])
  // The id of a body is none of a new registry.
  await zadig.ok('POST', REGISTRIES, NATIVE)

  const list = await zadig.ok<ZadigRegistry[]>('GET', REGISTRIES)
  const tencent = {
    registry_id: id,
    address: 'https://zadigx.tencentcloudcr.com',
    provider: 'tcr',
    region: '',
    namespace: 'zadigx',
    is_default: true,
  }
  expect(list).toEqual([tencent, { ...NATIVE, registry_id: id }])
  const [first, second] = list
  expect(second?.registry_id).not.toBe(NATIVE.registry_id)
  // Names and their order are as they are printed.
  expect(list.map((item) => Object.keys(item))).toEqual([Object.keys(NATIVE), Object.keys(NATIVE)])

  const path = `${REGISTRIES}/${second?.registry_id}`
  expect(await zadig.ok<ZadigRegistry>('GET', path)).toEqual(second as ZadigRegistry)

  const change = { ...NATIVE, namespace: 'koderover-other', is_default: true }
  const updated = await zadig.call('PUT', path, { body: change })
  expect([updated.status, updated.text()]).toEqual([200, '{"message":"success"}'])
  expect(await zadig.ok<ZadigRegistry[]>('GET', REGISTRIES)).toEqual([
    { ...tencent, registry_id: first?.registry_id ?? '', is_default: false },
    { ...change, registry_id: second?.registry_id ?? '' },
  ])
})

test('the other fields of the document are kept as they came', async () => {
  const [tencent] = await zadig.ok<ZadigRegistry[]>('GET', REGISTRIES)
  const answer = await zadig
    .connect()
    .request('GET', `/api/v1/registries/${tencent?.registry_id}`, {
      as: zadig.token,
    })
  expect(answer.json()).toMatchObject({
    accessKey: TENCENT.access_key,
    hasSecret: true,
    verifyTls: true,
    caCertificate: cert,
    // Of Zadig's own they would be visible to no project.
    projects: null,
    origin: 'zadig',
  })
})

test('what a missing enable_tls means is a setting', async () => {
  const other = await startTestZadig({ ENTREPOT_ZADIG_ENABLE_TLS_DEFAULT: 'false' })
  try {
    const { enable_tls: _, ...body } = TENCENT
    const verified = async (from: TestZadig) =>
      (await from.db.query.selectFrom('registry').select('verify_tls').execute()).map(
        ({ verify_tls }) => verify_tls,
      )
    await other.add(body)
    await other.add(TENCENT)
    expect(await verified(other)).toEqual([0, 1])
    await zadig.add(body)
    await zadig.add({ ...body, enable_tls: false })
    expect((await verified(zadig)).slice(-2)).toEqual([1, 0])
  } finally {
    await other.stop()
  }
})

test.each([
  ['acr', 'http://registry.cn-shanghai.aliyuncs.com', 'team'],
  ['acr-enterprise', 'http://registry.cn-shanghai.aliyuncs.com', 'team'],
  ['tcr', 'https://koderover-zadig.tencentcloudcr.com', 'team'],
  ['tcr-enterprise', 'https://koderover-zadig.tencentcloudcr.com', 'team'],
  ['swr', 'https://swr.cn-east-3.myhuaweicloud.com', 'team'],
  ['ecr', 'https://koderover-zadig.dkr.ecr.ap-northeast-1.amazonaws.com', ''],
  ['gar', 'https://asia-docker.pkg.dev', 'my-project/my-repository'],
  ['harbor', 'http://10.0.0.8:8080', 'team'],
  ['dockerhub', 'https://index.docker.io', 'team'],
  ['nexus', 'https://nexus.example.com:5000', 'team'],
  ['jfrog', 'https://test.jfrog.io', 'team'],
  ['native', 'https://registry.example.com', 'team'],
])(
  'the provider %s is taken, with the address of its page',
  async (provider, address, namespace) => {
    const region = provider === 'ecr' ? 'ap-northeast-1' : ''
    const body = { address, provider, namespace, region, is_default: false, access_key: 'a' }
    const made = await zadig.add({ ...body, secret_key: 'b' })
    expect(await zadig.ok<ZadigRegistry>('GET', `${REGISTRIES}/${made}`)).toEqual({
      registry_id: made,
      address,
      provider,
      region: provider === 'swr' ? 'cn-east-3' : region,
      namespace,
      is_default: false,
    })
  },
)
