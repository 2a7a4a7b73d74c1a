import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { PASSWORD } from '../test-server.ts'
import { REGISTRIES, startTestZadig, type TestZadig, type ZadigRegistry } from './test-zadig.ts'

setDefaultTimeout(60_000)

let zadig: TestZadig
beforeAll(async () => {
  zadig = await startTestZadig()
})
afterAll(() => zadig.stop())
beforeEach(async () => {
  const { db } = zadig
  await db.query.deleteFrom('consumer').execute()
  await db.query.updateTable('registry_default').set({ registry: null }).execute()
  await db.query.deleteFrom('registry').execute()
})

const HARBOR = {
  address: 'https://harbor.example.com',
  provider: 'harbor',
  namespace: 'team',
  access_key: 'ci',
  secret_key: 'planted-secret',
}
const WITHOUT_KEYS = { ...HARBOR, access_key: undefined, secret_key: undefined }

const list = () => zadig.ok<ZadigRegistry[]>('GET', REGISTRIES)
/** What people set; the test of the connection writes besides, at any time. */
const stored = async (id: string) =>
  zadig.db.query
    .selectFrom('registry')
    .select(['id', 'name', 'provider', 'address', 'namespace', 'region', 'access_key'])
    .select(['sealed_secret', 'verify_tls', 'ca_certificate', 'version'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
const defaults = async () => (await list()).map(({ is_default }) => is_default)

test.each([
  [{ ...HARBOR, address: '' }, 'address cannot be empty'],
  [{ provider: 'nothing' }, 'address cannot be empty'],
  [{ ...HARBOR, provider: 'docker', namespace: '' }, 'unsupported registry provider'],
  [{ ...HARBOR, provider: undefined }, 'unsupported registry provider'],
  [{ ...HARBOR, namespace: ' ' }, 'namespace cannot be empty'],
  [{ ...HARBOR, namespace: null }, 'namespace cannot be empty'],
  [
    { ...HARBOR, provider: 'ecr', namespace: '', address: 'x' },
    'region is a required field for ECR provider',
  ],
  [{ ...HARBOR, address: 'harbor.example.com' }, 'address needs to be a valid URL'],
  [{ ...HARBOR, address: 'ftp://harbor.example.com' }, 'address needs to be a valid URL'],
  [
    { ...HARBOR, address: 'https://a:b@harbor.example.com' },
    'the address must not hold a user or password; send them as keys',
  ],
  [{ ...HARBOR, is_default: 'true' }, 'is_default must be true or false'],
  [{ ...HARBOR, address: 7 }, 'address must be a string'],
  [{ ...HARBOR, access_key: 'a:b' }, 'the access key must not hold ":"'],
  [{ ...HARBOR, provider: 'swr' }, 'the region is required for SWR'],
  [{ ...HARBOR, tls_cert: 'none' }, 'the CA certificate is not PEM'],
])('POST refuses %j', async (body, description) => {
  expect(await zadig.failure('POST', REGISTRIES, { body })).toStartWith(
    `400 Bad Request: ${description}`,
  )
  expect(await list()).toEqual([])
})

test.each([
  [{ address: '' }, 'empty reg_addr'],
  [{ provider: undefined }, 'empty reg_provider'],
  [{ provider: 'docker' }, 'unsupported registry provider'],
  [{ namespace: undefined }, 'empty namespace'],
  [{ provider: 'ecr' }, 'region is a required field for ECR provider'],
  [{ address: 'harbor' }, 'address needs to be a valid URL'],
  [{ enable_tls: 1 }, 'enable_tls must be true or false'],
  [{ namespace: 'Team' }, 'the namespace must be what stands before an image name'],
])('PUT refuses what POST refuses: %j', async (change, description) => {
  const path = `${REGISTRIES}/${await zadig.add(HARBOR)}`
  const before = await list()
  const body = { ...HARBOR, ...change }
  expect(await zadig.failure('PUT', path, { body })).toStartWith(`400 Bad Request: ${description}`)
  expect(await list()).toEqual(before)
})

test('bodies that are no JSON object are refused, and repeat nothing', async () => {
  const secret = '"secret_key": "planted-secret"'
  for (const raw of ['', '[]', '7', `{${secret}`, `{${secret},${secret}}`, `{planted-secret}`]) {
    const answer = await zadig.failure('POST', REGISTRIES, { raw })
    expect([raw, answer]).toEqual([raw, expect.stringMatching(/^400 Bad Request: the body /)])
    expect(answer).not.toContain('planted')
  }
  const large = { ...HARBOR, note: 'x'.repeat(300_000) }
  expect(await zadig.failure('POST', REGISTRIES, { body: large })).toStartWith('413 ')
  // Unknown fields are let pass, and nobody looks at the Content-Type.
  const headers = { 'content-type': 'text/plain' }
  const odd = { ...HARBOR, advanced_setting: {}, projects: ['x'] }
  expect((await zadig.call('POST', REGISTRIES, { body: odd, headers })).status).toBe(200)
})

test('PUT replaces what Zadig replaces, and keeps the rest where it is absent', async () => {
  const region = 'r-1'
  const id = await zadig.add({ ...HARBOR, region, enable_tls: false })
  const path = `${REGISTRIES}/${id}`
  const before = await stored(id)
  await zadig.ok('PUT', path, { ...WITHOUT_KEYS, registry_id: 'another', namespace: 'new' })
  const after = await stored(id)
  expect(after).toMatchObject({ id, namespace: 'new', region: '' })
  expect(after.sealed_secret).toBe(before.sealed_secret)
  expect([after.access_key, after.verify_tls, after.name]).toEqual(['ci', 0, before.name])

  await zadig.ok('PUT', path, { ...HARBOR, access_key: 'other', enable_tls: true })
  const changed = await stored(id)
  expect([changed.access_key, changed.verify_tls]).toEqual(['other', 1])
  expect(changed.sealed_secret).not.toBe(before.sealed_secret)
})

test('another address, provider or TLS takes the secret again', async () => {
  const id = await zadig.add(HARBOR)
  const before = await stored(id)
  for (const change of [
    { address: 'http://harbor.example.com' },
    { address: 'https://harbor.example.com:8443' },
    { address: 'https://elsewhere.example.com' },
    { provider: 'native' },
    { enable_tls: false },
  ]) {
    const body = { ...WITHOUT_KEYS, ...change }
    const refusal = await zadig.failure('PUT', `${REGISTRIES}/${id}`, { body })
    expect(refusal).toContain('400 Bad Request: changing the ')
    expect(refusal).toContain('takes its secret key again')
  }
  expect(await stored(id)).toEqual(before)
  const moved = { ...HARBOR, address: 'https://elsewhere.example.com' }
  await zadig.ok('PUT', `${REGISTRIES}/${id}`, moved)
  expect((await list())[0]?.address).toBe(moved.address)
})

test('there is one default, and it is not unset', async () => {
  const first = await zadig.add({ ...HARBOR, is_default: false })
  const second = await zadig.add(HARBOR)
  expect(await defaults()).toEqual([true, false])
  await zadig.ok('PUT', `${REGISTRIES}/${second}`, { ...HARBOR, is_default: true })
  expect(await defaults()).toEqual([false, true])
  await zadig.ok('PUT', `${REGISTRIES}/${second}`, HARBOR)
  await zadig.ok('PUT', `${REGISTRIES}/${first}`, { ...HARBOR, is_default: false })
  expect(await defaults()).toEqual([false, true])
  const body = { ...HARBOR, is_default: false, namespace: 'changed' }
  expect(await zadig.failure('PUT', `${REGISTRIES}/${second}`, { body })).toContain(
    'is the default registry, and there is always exactly one: it cannot be unset before another',
  )
  expect((await list())[1]?.namespace).toBe('team')
  await zadig.add({ ...HARBOR, is_default: true })
  expect(await defaults()).toEqual([false, false, true])
})

test('DELETE refuses what is in use, and the default without a successor', async () => {
  const [first, second] = [await zadig.add(HARBOR), await zadig.add(HARBOR)]
  const path = `${REGISTRIES}/${first}`
  expect(await zadig.failure('DELETE', path)).toContain('400 Bad Request: ')
  expect(await zadig.failure('DELETE', `${path}?successor=${first}`)).toContain('the successor')
  await zadig.db.query
    .insertInto('consumer')
    .values({
      registry: first,
      project: 1,
      purpose: 'deploy',
      environment: 'east',
      account: null,
      first_fetched_at: 1,
      last_fetched_at: 1,
      secret_changed_at: null,
    })
    .execute()
  expect(await zadig.failure('DELETE', `${path}?successor=${second}`)).toContain(
    '409 Conflict: registry "harbor.example.com/team" cannot be deleted, it is being used by project library: deploy in east',
  )
  await zadig.db.query.deleteFrom('consumer').execute()
  const done = await zadig.ok<object>('DELETE', `${path}?successor=${second}`)
  expect(done).toEqual({ message: 'success' })
  expect((await list()).map(({ registry_id }) => registry_id)).toEqual([second])
  await zadig.ok('DELETE', `${REGISTRIES}/${second}`)
  expect(await list()).toEqual([])
})

test('what is not there is 404, also where Zadig would show the first one', async () => {
  await zadig.add(HARBOR)
  for (const id of ['0'.repeat(24), 'nonsense', '%00', '..%2f', '7']) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const asked = method === 'PUT' ? { body: HARBOR } : {}
      const answer = await zadig.failure(method, `${REGISTRIES}/${id}`, asked)
      expect([id, method, answer]).toEqual([id, method, expect.stringContaining('404 Not Found: ')])
    }
  }
  const paths = ['/openapi', '/openapi/system', `${REGISTRIES}/a/b`, '/openapi/system/registries']
  for (const path of paths) {
    const answer = await zadig.call('GET', path, { as: null })
    expect([answer.status, answer.text()]).toEqual([404, `Invalid path: ${path}`])
    expect(answer.header('x-content-type-options')).toBe('nosniff')
  }
  for (const [method, path, allow] of [
    ['DELETE', REGISTRIES, 'POST, GET'],
    ['PATCH', `${REGISTRIES}/x`, 'GET, PUT, DELETE'],
  ] as const) {
    const answer = await zadig.call(method, path)
    expect([answer.status, answer.text()]).toEqual([405, `Method not allowed: ${method} ${path}`])
    expect(answer.header('allow')).toBe(allow)
  }
})

test('records of other faces are shown, and written back as they were read', async () => {
  const made = await zadig.db.query
    .insertInto('registry')
    .values({
      id: 'a'.repeat(24),
      name: 'hss',
      provider: 'jfrog',
      address: 'http://10.0.0.9:8081',
      origin: 'hss',
      electable: 0,
      scan_namespace: 'scan',
      sealed_secret: null,
      runner_key: null,
      secret_changed_at: null,
      ca_certificate: null,
      health_code: null,
      checked_at: null,
      last_success_at: null,
      credential_expires_at: null,
      latest_sync_at: null,
      sync_cron: null,
      created_by: null,
      created_at: 1,
      updated_at: 1,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  const path = `${REGISTRIES}/${made.id}`
  const seen = await zadig.ok<ZadigRegistry>('GET', path)
  expect(seen).toEqual({
    registry_id: made.id,
    address: 'http://10.0.0.9:8081',
    provider: 'jfrog',
    region: '',
    namespace: '',
    is_default: false,
  })
  await zadig.ok('PUT', path, seen)
  expect(await zadig.ok<ZadigRegistry>('GET', path)).toEqual(seen)
})

test('a token in the query is not taken, and who is nobody is told so', async () => {
  const token = zadig.token.replace('Bearer ', '')
  const path = `${REGISTRIES}?token=${token}`
  expect(await zadig.failure('GET', path, { as: null })).toContain(
    '401 Unauthorized: send the API token as "Authorization: Bearer …"',
  )
  const answer = await zadig.call('GET', REGISTRIES, { as: null })
  expect(answer.header('www-authenticate')).toBe('Bearer realm="entrepot"')
  expect((await zadig.call('GET', REGISTRIES, { as: 'Bearer nonsense' })).status).toBe(401)
  // The header alone says who asks.
  expect((await zadig.call('GET', `${REGISTRIES}?token=nonsense`)).status).toBe(200)
})

test('everybody with a token lists what his projects may use', async () => {
  const { accounts, registry, db } = zadig
  const { id: account } = await accounts.users.create({ name: 'zoe', password: PASSWORD })
  const own = await db.transaction((tx) =>
    registry.projects.create(tx, { name: 'zoes', isPublic: false, createdBy: account }),
  )
  const [all, scoped, hidden] = [
    await zadig.add(HARBOR),
    await zadig.add(HARBOR),
    await zadig.add(HARBOR),
  ]
  await db.query
    .updateTable('registry')
    .set({ all_projects: 0 })
    .where('id', 'in', [scoped, hidden])
    .execute()
  await db.query
    .insertInto('registry_project')
    .values({ registry: scoped, project: own.id })
    .execute()
  const answer = await zadig.call('GET', REGISTRIES, { as: 'zoe' })
  const ids = answer.json<ZadigRegistry[]>().map(({ registry_id }) => registry_id)
  expect(ids).toEqual([all, scoped])
  expect(await zadig.failure('GET', `${REGISTRIES}/${all}`, { as: 'zoe' })).toStartWith(
    '403 Forbidden: user "zoe" may not manage external registries',
  )
})
