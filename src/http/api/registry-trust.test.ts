import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createSelfSigned } from '../../lib/self-signed.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

onEachEngine('trust', (create) => {
  let api: TestApi
  beforeEach(async () => {
    api = await createTestApi(create)
    for (const [project, name] of [
      ['shop', 'dev'],
      ['bank', 'other'],
    ]) {
      await api.accounts.createUser(name ?? '')
      await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: project } })
      const member = `/projects/${project}/members/${name}`
      await api.expect(200, 'PUT', member, { as: 'root', body: { role: 'guest' } })
    }
  })
  afterEach(() => api.remove())

  async function integrate(more: object) {
    const body = { name: 'harbor', provider: 'harbor', address: 'https://harbor.example.com:8443' }
    const made = await api.expect(201, 'POST', '/registries', {
      as: 'root',
      body: { ...body, ...more },
    })
    return String(made.body.id)
  }

  const trust = (status: number, path: string, as = 'dev') =>
    api.expect(status, 'GET', path, { as })

  test('is of the registries that one may see', async () => {
    const ofShop = await integrate({ verifyTls: false, projects: ['shop'] })
    const address = 'http://plain.example.com'
    const ofBank = await integrate({ name: 'b', provider: 'native', address, projects: ['bank'] })
    const hosts = async (path: string, as: string) => {
      const { body } = await trust(200, path, as)
      return (body.hosts as { host: string }[]).map(({ host }) => host)
    }
    expect(await hosts('/registries/trust', 'dev')).toEqual(['harbor.example.com:8443'])
    expect(await hosts('/registries/trust', 'other')).toEqual(['plain.example.com'])
    expect(await hosts('/registries/trust', 'root')).toHaveLength(2)
    expect(await hosts(`/registries/${ofShop}/trust`, 'dev')).toHaveLength(1)
    await trust(404, `/registries/${ofBank}/trust`)
    await trust(404, '/registries/absent/trust')
  })

  test('has the files of each client', async () => {
    const now = api.accounts.clock()
    const { cert } = createSelfSigned({ names: ['harbor.example.com'], now, days: 30 })
    await integrate({ verifyTls: false, caCertificate: cert })
    const { body } = await trust(200, '/registries/trust')
    const clients = body.clients as { client: string; apply: { action: string } }[]
    expect(clients.map(({ client, apply }) => `${client}: ${apply.action}`)).toEqual([
      'docker: reload',
      'containerd: none',
      'podman: reload',
      'buildkit: restart',
    ])
    expect((body.hosts as { ca: string }[])[0]?.ca.trim()).toBe(cert.trim())
  })
})
