import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { basic } from '../../accounts/test-accounts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

/** Looked for wherever it must not be. */
const SECRET = `Planted-$ecret'"-1`

onEachEngine('hand-outs', (create) => {
  let api: TestApi
  beforeEach(async () => {
    api = await createTestApi(create)
    for (const name of ['dev', 'guest', 'other']) await api.accounts.createUser(name)
    for (const name of ['shop', 'bank']) {
      await api.expect(201, 'POST', '/projects', { as: 'root', body: { name } })
    }
    await member('shop', 'dev', 'developer')
    await member('shop', 'guest', 'guest')
    await member('bank', 'other', 'developer')
  })
  afterEach(() => api.remove())

  const member = (project: string, name: string, role: string) =>
    api.expect(200, 'PUT', `/projects/${project}/members/${name}`, { as: 'root', body: { role } })

  async function integrate(more: object = {}) {
    const body = {
      name: 'harbor-main',
      provider: 'harbor',
      address: 'https://harbor.example.com:8443',
      namespace: 'team',
      accessKey: 'robot$shop+ci',
      secretKey: SECRET,
      ...more,
    }
    const { body: made } = await api.expect(201, 'POST', '/registries', { as: 'root', body })
    return String(made.id)
  }

  const handOut = (status: number, body: object, as = 'dev', project = 'shop') =>
    api.expect(status, 'POST', `/projects/${project}/handouts`, { as, body })

  async function robot(project: string, name: string, role: string) {
    const made = await api.expect(201, 'POST', `/projects/${project}/robots`, {
      as: 'root',
      body: { name, role },
    })
    return { username: `${project}+${name}`, password: String(made.body.secret) }
  }

  const uses = async (id: string) =>
    (await api.expect(200, 'GET', `/registries/${id}/uses`, { as: 'root' })).body.items

  describe('of an external registry', () => {
    test('hold all that a build needs', async () => {
      const id = await integrate()
      const { body } = await handOut(200, {
        purpose: 'build',
        environment: 'staging',
        image: 'app',
        build: { branch: 'feature/x', taskId: '7', pullRequests: [5] },
      })
      const image = 'harbor.example.com:8443/team/app:20260301120000-7-feature-x-pr-5'
      expect(body).toMatchObject({
        registry: {
          id,
          name: 'harbor-main',
          host: 'harbor.example.com:8443',
          namespace: 'team',
          isDefault: true,
        },
        image,
        login: { username: 'robot$shop+ci', password: SECRET, expiresAt: null },
        env: {
          IMAGE: image,
          DOCKER_REGISTRY_HOST: 'harbor.example.com:8443',
          DOCKER_REGISTRY_NAMESPACE: 'team',
          DOCKER_REGISTRY_AK: 'robot$shop+ci',
          DOCKER_REGISTRY_SK: SECRET,
        },
        pullSecret: { metadata: { name: 'default-registry-secret' } },
        refresher: null,
      })
      expect(await uses(id)).toMatchObject([
        { project: 'shop', purpose: 'build', environment: 'staging', outdated: false },
      ])
      expect((await api.audited()).at(-1)).toBe('handout.create harbor-main')
    })

    test('are the same by name, by id and for a robot of the project', async () => {
      const id = await integrate()
      const ci = await robot('shop', 'ci', 'developer')
      const asked = { purpose: 'deploy', image: 'app:1' }
      const byDefault = await handOut(200, asked)
      for (const registry of [id, 'harbor-main']) {
        const { body } = await handOut(200, { ...asked, registry }, basic(ci.username, ci.password))
        expect(body).toEqual(byDefault.body)
      }
    })

    test('stop at the scope, and say what is in it', async () => {
      const ofBank = await integrate({ projects: ['bank'] })
      const forAll = await integrate({ name: 'open', address: 'https://open.example.com' })
      // It is the first one, so it is the default.
      const denied = await handOut(403, { purpose: 'build' })
      expect(denied.body.detail).toContain('not for project "shop"; it may use open')
      for (const registry of [ofBank, 'harbor-main', 'absent']) {
        const unknown = await handOut(404, { purpose: 'build', registry })
        expect(unknown.body.detail).toContain('it may use open')
      }
      await handOut(200, { purpose: 'build', registry: ofBank }, 'other', 'bank')
      expect(await uses(ofBank)).toHaveLength(1)
      await api.expect(200, 'PATCH', `/registries/${forAll}`, {
        as: 'root',
        body: { projects: ['bank'] },
      })
      await handOut(404, { purpose: 'build', registry: forAll })
      expect(await uses(forAll)).toEqual([])
    })

    test('go to those who may push, not to those who may pull', async () => {
      await integrate()
      await handOut(403, { purpose: 'deploy' }, 'guest')
      await handOut(404, { purpose: 'deploy' }, 'other')
      const reader = await robot('shop', 'reader', 'guest')
      await handOut(403, { purpose: 'deploy' }, basic(reader.username, reader.password))
    })

    test('make a registry one that is in use, and tell when its secret changed', async () => {
      const id = await integrate()
      await handOut(200, { purpose: 'deploy', environment: 'prod' })
      const refused = await api.expect(409, 'DELETE', `/registries/${id}`, { as: 'root' })
      expect(refused.body.detail).toContain('project shop: deploy in prod')
      api.accounts.pass(1_000)
      await api.expect(200, 'PATCH', `/registries/${id}`, {
        as: 'root',
        body: { secretKey: 'another' },
      })
      expect(await uses(id)).toMatchObject([{ outdated: true }])
      await handOut(200, { purpose: 'deploy', environment: 'prod' })
      expect(await uses(id)).toMatchObject([{ outdated: false }])
    })

    test('without keys have no secret', async () => {
      await integrate({ accessKey: '', secretKey: '' })
      const { body } = await handOut(200, { purpose: 'deploy', image: 'app:1' })
      expect(body).toMatchObject({ login: null, pullSecret: null, dockerConfig: { auths: {} } })
      const none = await api.expect(409, 'POST', '/projects/shop/handouts/pull-secret', {
        as: 'dev',
        body: { purpose: 'deploy' },
      })
      expect(none.body.detail).toContain('takes everybody')
    })

    test('may be the Kubernetes Secret alone', async () => {
      const id = await integrate()
      const ask = (kubernetes?: object) =>
        api.expect(200, 'POST', '/projects/shop/handouts/pull-secret', {
          as: 'dev',
          body: { purpose: 'deploy', registry: id, kubernetes },
        })
      const named = await ask({ namespace: 'staging', secretName: 'pull.me' })
      expect(named.body).toMatchObject({
        kind: 'Secret',
        metadata: { name: 'pull.me', namespace: 'staging' },
      })
      // As the job in the cluster looks for it.
      expect(named.text).toContain('"kind":"Secret"')
      const { data } = (await ask()).body as unknown as { data: Record<string, string> }
      const config = JSON.parse(Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString())
      expect(config.auths['harbor.example.com:8443'].password).toBe(SECRET)
    })

    test('refuse what names no image', async () => {
      await integrate()
      const refused = async (body: object, says: string) => {
        const { body: problem } = await handOut(400, body)
        expect(problem.detail).toContain(says)
      }
      await refused({ purpose: 'deploy', image: 'app' }, 'app:tag or app@sha256:')
      await refused({ purpose: 'build', image: 'App' }, 'write "app"')
      await refused({ purpose: 'deploy', image: 'a:1', build: {} }, 'for the purpose "build"')
      await refused({ purpose: 'build', rules: { pr: 'x' } }, 'rules.pr')
      await refused({ purpose: 'distribute', image: 'r/app' }, 'has no tag to keep')
      await refused({ purpose: 'sell' }, 'purpose')
      await refused({ purpose: 'build', kubernetes: { secretName: 'A' } }, 'kubernetes.secretName')
      await refused({ purpose: 'build', login: { username: 'a', password: 'b' } }, 'alone')
      expect(await api.audited()).not.toContain('handout.create harbor-main')
    })

    test('name what is distributed by its last segment', async () => {
      await integrate()
      const image = 'registry.example.com:5000/a/b/app:1.2'
      const { body } = await handOut(200, { purpose: 'distribute', image })
      expect(body.image).toBe('harbor.example.com:8443/team/app:1.2')
    })
  })

  describe('of Entrepot itself', () => {
    const asked = { registry: 'self', purpose: 'build', image: 'app:1' }

    test('give a robot back what it came with', async () => {
      const ci = await robot('shop', 'ci', 'developer')
      const { body } = await handOut(200, asked, basic(ci.username, ci.password))
      expect(body).toMatchObject({
        registry: { id: 'self', host: 'registry.example.com', namespace: 'shop', isDefault: false },
        image: 'registry.example.com/shop/app:1',
        login: { ...ci, expiresAt: null },
        pullSecret: { metadata: { name: 'entrepot-self-registry-secret' } },
      })
      expect(await api.audited()).toContain('handout.create self')
    })

    test('give a person the token that was used', async () => {
      const made = await api.expect(201, 'POST', '/tokens', { as: 'dev', body: { name: 'mine' } })
      const token = String(made.body.token)
      for (const as of [`Bearer ${token}`, basic('dev', token)]) {
        const { body } = await handOut(200, asked, as)
        expect(body.login).toMatchObject({ username: 'dev', password: token })
      }
    })

    test('give a new token, good for twelve hours, in place of a password', async () => {
      const { body } = await handOut(200, asked)
      const { username, password, expiresAt } = body.login as {
        username: string
        password: string
        expiresAt: number
      }
      expect(expiresAt - api.accounts.clock()).toBe(12 * 3_600_000)
      const as = basic(username, password)
      expect((await api.expect(200, 'GET', '/me', { as })).body.name).toBe('dev')
      api.accounts.pass(12 * 3_600_000 + 1)
      await api.expect(401, 'GET', '/me', { as })
    })

    test('take the login of a robot that may do what it is for', async () => {
      const reader = await robot('shop', 'reader', 'guest')
      const deploy = await handOut(200, { ...asked, purpose: 'deploy', login: reader })
      expect(deploy.body.login).toMatchObject(reader)
      const build = await handOut(403, { ...asked, login: reader })
      expect(build.body.detail).toContain('robot "shop+reader"')
      const foreign = await robot('bank', 'ci', 'developer')
      await handOut(403, { ...asked, login: foreign })
      const wrong = await handOut(400, { ...asked, login: { ...reader, password: 'no' } })
      expect(wrong.body.detail).toContain('is no good')
      const password = { username: 'dev', password: 'Correct-horse-1' }
      const refused = await handOut(400, { ...asked, login: password })
      expect(refused.body.detail).toContain('this is a password')
    })
  })

  test('leave no secret anywhere else', async () => {
    const id = await integrate()
    const ci = await robot('shop', 'ci', 'developer')
    const seen: string[] = []
    await handOut(200, { purpose: 'build', image: 'app' })
    await handOut(200, { purpose: 'build', registry: 'self' }, basic(ci.username, ci.password))
    const ours = await handOut(200, { purpose: 'build', registry: 'self' })
    const { password: token } = ours.body.login as { password: string }
    for (const body of [
      { purpose: 'deploy', image: 'x' },
      { purpose: 'build', registry: 'no' },
    ]) {
      seen.push((await api.call('POST', '/projects/shop/handouts', { as: 'dev', body })).text)
    }
    for (const path of [
      '/registries',
      `/registries/${id}`,
      `/registries/${id}/uses`,
      '/registries/trust',
      `/registries/${id}/trust`,
      '/audit',
      '/tokens',
    ]) {
      seen.push((await api.expect(200, 'GET', path, { as: 'root' })).text)
    }
    const { db } = api.accounts
    for (const table of ['audit', 'consumer', 'registry', 'job', 'api_token'] as const) {
      seen.push(JSON.stringify(await db.query.selectFrom(table).selectAll().execute()))
    }
    seen.push(...api.failures)
    const forms = [SECRET, ci.password, token].flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString('base64').slice(0, 20),
      encodeURIComponent(secret),
    ])
    for (const form of forms) expect(seen.filter((text) => text.includes(form))).toEqual([])
    // The search finds what is there.
    expect(seen.filter((text) => text.includes('harbor-main')).length).toBeGreaterThan(3)
  })
})
