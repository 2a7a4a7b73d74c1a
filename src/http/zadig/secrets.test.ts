import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { basic, PASSWORD } from '../test-server.ts'
import { REGISTRIES, startTestZadig, type TestZadig, type ZadigRegistry } from './test-zadig.ts'

setDefaultTimeout(60_000)

/*
 * One secret is planted in every way in which these faces take one, also in requests that fail,
 * and then looked for in every answer, in the log at its most talkative, and in the database.
 */

const PLANTED = 'Planted-5ecret+/=4711'
const API = '/api/v1/registries'

let zadig: TestZadig
const answers: string[] = []
beforeAll(async () => {
  zadig = await startTestZadig({ ENTREPOT_LOG_LEVEL: 'debug' })
  await zadig.accounts.users.create({ name: 'zoe', password: PASSWORD })
})
afterAll(() => zadig.stop())

async function ask(method: string, path: string, body?: unknown, as: string = zadig.token) {
  const answer = await zadig.call(method, path, {
    as,
    headers: { 'content-type': 'application/json' },
    ...(typeof body === 'string' ? { raw: body } : { body }),
  })
  answers.push(`${answer.status} ${JSON.stringify(answer.fields)} ${answer.text()}`)
  return answer
}

/** As text, and as what it would be in a login or an address. */
const FORMS = [
  PLANTED,
  encodeURIComponent(PLANTED),
  Buffer.from(PLANTED).toString('base64'),
  Buffer.from(`ci:${PLANTED}`).toString('base64'),
  Buffer.from(PLANTED).toString('hex'),
]

function expectNone(where: string, text: string): void {
  expect([where, FORMS.filter((form) => text.includes(form))]).toEqual([where, []])
}

test('a secret is seen by nobody', async () => {
  const keys = { access_key: 'ci', secret_key: PLANTED }
  const zadigBody = {
    address: 'https://h.example.com',
    provider: 'harbor',
    namespace: 'n',
    ...keys,
  }
  const apiBody = { name: 'one', provider: 'harbor', address: 'https://h.example.com' }
  const own = { accessKey: 'ci', secretKey: PLANTED }

  await ask('POST', REGISTRIES, zadigBody)
  await ask('POST', REGISTRIES, { ...zadigBody, enable_tls: false })
  const list = await ask('GET', REGISTRIES)
  const ids = list.json<ZadigRegistry[] & object>().map(({ registry_id }) => registry_id)
  expect(ids).toHaveLength(2)
  const created = await ask('POST', API, { ...apiBody, ...own })
  expect(created.status).toBe(201)
  const id = String(created.json().id)

  // What goes well.
  await ask('GET', `${REGISTRIES}/${ids[0]}`)
  await ask('PUT', `${REGISTRIES}/${ids[0]}`, zadigBody)
  await ask('PATCH', `${API}/${id}`, own)
  for (const path of [API, `${API}/${id}`, `${API}/${id}/uses`]) await ask('GET', path)
  await ask('POST', `${API}/${id}/default`)

  // What is refused, with the secret in it where it belongs and where it does not.
  for (const secret of [`${PLANTED}\u0000`, PLANTED + 'x'.repeat(17_000), [PLANTED], 7]) {
    await ask('POST', REGISTRIES, { ...zadigBody, secret_key: secret })
    await ask('POST', API, { ...apiBody, name: 'two', secretKey: secret })
  }
  for (const address of [`https://ci:${PLANTED}@h.example.com`, `https://h?token=${PLANTED}`]) {
    await ask('POST', REGISTRIES, { ...zadigBody, address })
    await ask('PUT', `${REGISTRIES}/${ids[0]}`, { ...zadigBody, address })
    await ask('POST', API, { ...apiBody, ...own, address })
    await ask('PATCH', `${API}/${id}`, { address })
  }
  for (const tls of [{ tls_cert: PLANTED, caCertificate: PLANTED }]) {
    await ask('POST', REGISTRIES, { ...zadigBody, tls_cert: tls.tls_cert })
    await ask('PATCH', `${API}/${id}`, { caCertificate: tls.caCertificate })
  }
  for (const raw of [`{"secret_key":"${PLANTED}"`, `{${PLANTED}}`, `"${PLANTED}"`, PLANTED]) {
    await ask('POST', REGISTRIES, raw)
    await ask('POST', API, raw)
  }
  await ask('PATCH', `${API}/${'0'.repeat(24)}`, own)
  await ask('PATCH', `${API}/${id}`, { ...own, name: 'self' })
  await ask('POST', API, { ...apiBody, ...own }, basic('zoe'))
  await ask('POST', REGISTRIES, zadigBody, basic('zoe'))
  await ask('GET', API, undefined, basic('zoe'))
  await ask('POST', REGISTRIES, zadigBody, 'Bearer nonsense')
  const token = encodeURIComponent(PLANTED)
  const inQuery = await zadig.call('GET', `${REGISTRIES}?token=${token}`, { as: null })
  answers.push(inQuery.text())

  await ask('DELETE', `${API}/${id}?successor=${ids[0]}`)
  await ask('GET', '/api/v1/audit')

  expectNone('answers', answers.join('\n'))
  await zadig.restart()
  const lines = zadig.logged()
  expect(lines.filter(({ msg }) => msg === 'request').length).toBeGreaterThan(40)
  expectNone('log', JSON.stringify(lines))
  const { query } = zadig.db
  const audit = await query.selectFrom('audit').selectAll().execute()
  expect(audit.filter(({ action }) => action.startsWith('registry.')).length).toBeGreaterThan(5)
  expectNone('audit', JSON.stringify(audit))
  const rows = await query.selectFrom('registry').selectAll().execute()
  expect(rows.map(({ sealed_secret }) => sealed_secret !== null)).toEqual([true, true])
  expectNone('rows', JSON.stringify(rows))
})
