import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { foldUsage } from '../../registry/usage.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

const REPOSITORIES = '/projects/payments/repositories'
const WEB = `${REPOSITORIES}/web%2Ffront`

onEachEngine('what is in a project', (create) => {
  let api: TestApi

  beforeEach(async () => {
    api = await createTestApi(create)
    const roles = { alice: 'admin', dev: 'developer', main: 'maintainer', guest: 'guest' } as const
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'payments' } })
    for (const [name, role] of Object.entries(roles)) {
      await api.accounts.createUser(name)
      await api.expect(200, 'PUT', `/projects/payments/members/${name}`, {
        as: 'root',
        body: { role },
      })
    }
  })
  afterEach(async () => {
    expect(api.failures).toEqual([])
    await api.remove()
  })

  const changes = async () =>
    (await api.audited()).filter((line) => !/^(project|member)/.test(line))

  describe('repositories', () => {
    test('are created, read, changed and deleted', async () => {
      const body = { name: 'web/front', summary: 'Shop' }
      await api.expect(403, 'POST', REPOSITORIES, { as: 'guest', body })
      const created = await api.expect(201, 'POST', REPOSITORIES, { as: 'dev', body })
      expect(created.headers.get('location')).toBe(`/api/v1${WEB}`)
      await api.expect(409, 'POST', REPOSITORIES, { as: 'dev', body })
      const read = await api.expect(200, 'GET', WEB, { as: 'guest' })
      expect(read.body).toEqual(created.body)
      expect(read.body).toMatchObject({ project: 'payments', summary: 'Shop', version: 1 })

      const change = {
        as: 'main',
        body: { description: '# Shop\n' },
        headers: { 'if-match': '"1"' },
      }
      await api.expect(403, 'PATCH', WEB, { ...change, as: 'dev' })
      const changed = await api.expect(200, 'PATCH', WEB, change)
      expect(changed.body).toMatchObject({ summary: 'Shop', description: '# Shop\n', version: 2 })
      expect(changed.headers.get('etag')).toBe('"2"')
      await api.expect(412, 'PATCH', WEB, change)
      await api.expect(412, 'DELETE', WEB, { as: 'main', headers: { 'if-match': '"1"' } })
      await api.expect(204, 'DELETE', WEB, { as: 'main', headers: { 'if-match': '"2"' } })
      for (const method of ['GET', 'DELETE']) await api.expect(404, method, WEB, { as: 'main' })
      expect(await changes()).toEqual([
        'repository.create payments/web/front',
        'repository.update payments/web/front',
        'repository.delete payments/web/front',
      ])
    })

    test('wrong input', async () => {
      for (const name of ['UP', 'a//b', '/a', '../x', 'a'.repeat(250), '']) {
        const answer = await api.call('POST', REPOSITORIES, { as: 'dev', body: { name } })
        expect([name, answer.status, answer.body.code]).toEqual([name, 400, 'name_invalid'])
      }
      await api.expect(201, 'POST', REPOSITORIES, { as: 'dev', body: { name: 'a' } })
      for (const body of [
        { summary: 'x\u0000' },
        { summary: 'x'.repeat(256) },
        { name: 'b' },
        {},
      ]) {
        await api.expect(400, 'PATCH', `${REPOSITORIES}/a`, { as: 'main', body })
      }
      for (const name of ['..%2Fx', '%00', 'A', '%zz', '%2e%2e']) {
        await api.expect(404, 'GET', `${REPOSITORIES}/${name}`, { as: 'guest' })
      }
    })

    test('are listed by name, counted exactly before and after folding', async () => {
      await api.push('payments/web/front', 'a')
      await api.push('payments/web/front', 'b', { annotations: { n: '1' } })
      await api.push('payments/api', 'a')
      const list = async (query = '') =>
        (await api.expect(200, 'GET', `${REPOSITORIES}${query}`, { as: 'guest' })).body
      const before = await list()
      expect(before.items).toMatchObject([
        { name: 'api', artifactCount: 1, tagCount: 1 },
        { name: 'web/front', artifactCount: 2, tagCount: 2 },
      ])
      await foldUsage(api.accounts.db)
      expect(await list()).toEqual(before)
      expect(await list('?limit=1')).toMatchObject({ items: [{ name: 'api' }], next: 'api' })
      expect((await list('?after=api')).items).toMatchObject([{ name: 'web/front' }])
      expect((await list('?nameHas=front')).items).toMatchObject([{ name: 'web/front' }])
    })
  })

  describe('artifacts', () => {
    test('are listed newest first, with their tags', async () => {
      const old = await api.push('payments/web/front', 'old')
      await api.push('payments/web/front', 'stable')
      const subject = { mediaType: MEDIA_TYPE.ociManifest, digest: old, size: 300 }
      const signature = await api.push('payments/web/front', 'sig', {
        subject,
        artifactType: 'application/vnd.example.signature',
      })
      const list = await api.expect(200, 'GET', `${WEB}/artifacts`, { as: 'guest' })
      expect(list.body.items).toMatchObject([
        {
          digest: signature,
          subject: old,
          artifactType: 'application/vnd.example.signature',
          tags: ['sig'],
        },
        {
          digest: old,
          mediaType: MEDIA_TYPE.ociManifest,
          kind: 'image',
          subject: null,
          tags: ['old', 'stable'],
          pushedBy: 'root',
          pushedAt: api.accounts.clock(),
        },
      ])
      const first = await api.expect(200, 'GET', `${WEB}/artifacts?limit=1`, { as: 'guest' })
      expect(first.body.items).toMatchObject([{ digest: signature }])
      const second = `${WEB}/artifacts?limit=1&after=${first.body.next}`
      expect((await api.expect(200, 'GET', second, { as: 'guest' })).body).toMatchObject({
        items: [{ digest: old, tags: ['old', 'stable'] }],
        next: null,
      })
      const one = await api.expect(200, 'GET', `${WEB}/artifacts/${old}`, { as: 'guest' })
      expect(one.body).toEqual({ ...list.body.items[1], parents: [] } as never)
      await api.expect(400, 'GET', `${WEB}/artifacts?after=x`, { as: 'guest' })
      await api.expect(404, 'GET', `${REPOSITORIES}/none/artifacts`, { as: 'guest' })
    })

    test('are deleted with their tags, unless that is to be refused', async () => {
      const image = await api.push('payments/web/front', 'a')
      const child = { mediaType: MEDIA_TYPE.ociManifest, digest: image, size: 300 }
      await api.push('payments/web/front', 'sig', { subject: child, artifactType: 'x/y' })
      const index = await api.push('payments/web/front', 'all', {
        mediaType: MEDIA_TYPE.ociIndex,
        config: undefined,
        layers: undefined,
        manifests: [child],
      })
      const path = `${WEB}/artifacts/${image}`
      await api.expect(403, 'DELETE', path, { as: 'dev' })
      await api.expect(400, 'DELETE', `${path}?refuseReferenced=maybe`, { as: 'main' })
      const contained = await api.expect(409, 'DELETE', `${path}?refuseReferenced=true`, {
        as: 'main',
      })
      expect([contained.body.code, contained.body.detail]).toEqual([
        'in_use',
        expect.stringContaining(index),
      ])
      await api.expect(409, 'DELETE', `${path}?refuseSubjects=true`, { as: 'main' })
      await api.expect(204, 'DELETE', `${path}?refuseSubjects=false`, { as: 'main' })
      await api.expect(404, 'DELETE', path, { as: 'main' })
      await api.expect(404, 'GET', `${WEB}/tags/a`, { as: 'main' })
      expect(await changes()).toEqual([`artifact.delete payments/web/front@${image}`])
    })

    test('a digest that is none, and one of another repository', async () => {
      const elsewhere = await api.push('payments/api', 'a')
      for (const method of ['GET', 'DELETE']) {
        const wrong = await api.expect(400, method, `${WEB}/artifacts/sha256:xyz`, { as: 'main' })
        expect(wrong.body.code).toBe('digest_invalid')
        await api.expect(404, method, `${WEB}/artifacts/${elsewhere}`, { as: 'main' })
      }
    })
  })

  describe('tags', () => {
    test('are listed, read, protected and deleted', async () => {
      const digest = await api.push('payments/web/front', '1.0')
      await api.push('payments/web/front', 'Latest')
      const list = await api.expect(200, 'GET', `${WEB}/tags`, { as: 'guest' })
      expect(list.body.items).toMatchObject([
        { name: '1.0', digest },
        { name: 'Latest', digest },
      ])
      const page = await api.expect(200, 'GET', `${WEB}/tags?limit=1`, { as: 'guest' })
      expect(page.body.next).toBe('1.0')

      const body = { immutable: true }
      await api.expect(403, 'PATCH', `${WEB}/tags/1.0`, { as: 'dev', body })
      const tag = await api.expect(200, 'PATCH', `${WEB}/tags/1.0`, { as: 'main', body })
      expect(tag.body).toMatchObject({ name: '1.0', digest, immutable: true })
      expect((await api.call('GET', `${WEB}/tags/1.0`, { as: 'guest' })).body).toEqual(tag.body)
      const kept = await api.expect(409, 'DELETE', `${WEB}/tags/1.0`, { as: 'main' })
      expect(kept.body.code).toBe('immutable')
      await api.expect(409, 'DELETE', `${WEB}/artifacts/${digest}`, { as: 'main' })
      await api.expect(409, 'DELETE', WEB, { as: 'main' })
      await api.expect(200, 'PATCH', `${WEB}/tags/1.0`, { as: 'main', body: { immutable: false } })
      await api.expect(403, 'DELETE', `${WEB}/tags/1.0`, { as: 'dev' })
      await api.expect(204, 'DELETE', `${WEB}/tags/1.0`, { as: 'main' })
      await api.expect(200, 'GET', `${WEB}/artifacts/${digest}`, { as: 'main' })
      expect(await changes()).toEqual([
        'tag.update payments/web/front:1.0',
        'tag.update payments/web/front:1.0',
        'tag.delete payments/web/front:1.0',
      ])
    })

    test('what is not there, and what is no tag', async () => {
      await api.push('payments/web/front', 'a')
      const body = { immutable: true }
      await api.expect(404, 'GET', `${WEB}/tags/none`, { as: 'main' })
      await api.expect(404, 'DELETE', `${WEB}/tags/none`, { as: 'main' })
      await api.expect(404, 'PATCH', `${WEB}/tags/none`, { as: 'main', body })
      await api.expect(400, 'GET', `${WEB}/tags/-a`, { as: 'main' })
      await api.expect(400, 'GET', `${WEB}/tags/%00`, { as: 'main' })
      await api.expect(400, 'PATCH', `${WEB}/tags/a`, { as: 'main', body: { immutable: 1 } })
      await api.expect(404, 'GET', `${REPOSITORIES}/none/tags`, { as: 'main' })
    })

    test('remember where they pointed, also when they are gone', async () => {
      const first = await api.push('payments/web/front', 'a')
      const second = await api.push('payments/web/front', 'a', { annotations: { n: '2' } })
      await api.expect(204, 'DELETE', `${WEB}/tags/a`, { as: 'main' })
      const history = `${WEB}/tags/a/history`
      const { body } = await api.expect(200, 'GET', history, { as: 'guest' })
      expect(body.items).toMatchObject([
        { oldDigest: second, newDigest: null, actor: 'main', reason: 'delete' },
        { oldDigest: first, newDigest: second, actor: 'root', reason: 'push' },
        { oldDigest: null, newDigest: first, actor: 'root' },
      ])
      const newest = await api.expect(200, 'GET', `${history}?limit=2`, { as: 'guest' })
      const rest = await api.call('GET', `${history}?after=${newest.body.next}`, { as: 'guest' })
      expect(rest.body.items).toMatchObject([{ oldDigest: null, newDigest: first }])
    })
  })
})
