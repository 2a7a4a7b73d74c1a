import { afterAll, beforeAll, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { chartOf, hex, provenanceOf, tarOf } from '../../charts/test-charts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { api, createTestCharts, nameOf, type TestCharts } from './test-charts.ts'

const SLASHED = { name: 'a/Chart.yaml', content: 'name: a/b\nversion: 1.0.0\n' }

onEachEngine('writing charts over HTTP', (create) => {
  let charts: TestCharts
  beforeAll(async () => {
    charts = await createTestCharts(create)
  })
  afterAll(async () => {
    expect(await charts.problems()).toEqual([])
    await charts.remove()
  })

  test('an upload is the artifact that helm push makes, and the same bytes everywhere', async () => {
    const project = await charts.fresh()
    const archive = chartOf({ version: '1.2.4+build.7', yaml: 'appVersion: 1.10\n' })
    const saved = await charts.upload(api(project), archive)
    expect([saved.status, JSON.parse(saved.text)]).toEqual([201, { saved: true }])

    const { entries, serverInfo } = await charts.indexOf(project)
    expect(serverInfo).toEqual({ contextPath: '/charts' })
    const [entry] = entries.harbour ?? []
    expect(entry).toMatchObject({
      apiVersion: 'v2',
      version: '1.2.4+build.7',
      appVersion: '1.10',
      digest: hex(archive),
      urls: ['charts/harbour-1.2.4+build.7.tgz'],
      created: '2026-03-01T12:00:00.250Z',
    })
    for (const file of ['harbour-1.2.4+build.7.tgz', 'harbour-1.2.4%2Bbuild.7.tgz']) {
      const got = await charts.call('GET', `/charts/${project}/charts/${file}`)
      expect([got.status, got.headers.get('content-type')]).toEqual([200, 'application/x-tar'])
      expect(hex(got.bytes)).toBe(hex(archive))
    }

    const name = nameOf(`${project}/harbour`)
    const reference = { kind: 'tag', tag: '1.2.4_build.7' } as const
    const { bytes } = await charts.registry.manifests.get(name, reference)
    const manifest = JSON.parse(new TextDecoder().decode(bytes))
    expect(manifest.config.mediaType).toBe('application/vnd.cncf.helm.config.v1+json')
    expect(manifest.layers).toEqual([
      {
        mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
        digest: `sha256:${hex(archive)}`,
        size: archive.length,
      },
    ])
    const config = await charts.registry.blobs.get(name, manifest.config.digest)
    const content = await charts.registry.blobs.open(config)
    expect(content instanceof Uint8Array && JSON.parse(new TextDecoder().decode(content))).toEqual({
      apiVersion: 'v2',
      name: 'harbour',
      version: '1.2.4+build.7',
      appVersion: '1.10',
    })
  })

  test('a version that is there is a conflict, unless it is to be replaced', async () => {
    const project = await charts.fresh()
    const first = chartOf({ files: { 'a.txt': '1' } })
    const second = chartOf({ files: { 'a.txt': '2' } })
    expect((await charts.upload(api(project), first)).status).toBe(201)
    const before = await charts.call('GET', `/charts/${project}/index.yaml`)
    for (const again of [first, second]) {
      const answer = await charts.upload(api(project), again)
      expect([answer.status, JSON.parse(answer.text).error]).toEqual([
        409,
        expect.stringContaining('file already exists'),
      ])
    }
    expect((await charts.upload(`${api(project)}?force`, second)).status).toBe(201)
    const after = await charts.call('GET', `/charts/${project}/index.yaml`)
    expect(after.headers.get('etag')).not.toBe(before.headers.get('etag'))
    expect((await charts.indexOf(project)).entries.harbour?.map(({ digest }) => digest)).toEqual([
      hex(second),
    ])
  })

  test('of two uploads at once without force one wins', async () => {
    const project = await charts.fresh()
    const archives = ['1', '2', '3', '4'].map((text) => chartOf({ files: { 'a.txt': text } }))
    const answers = await Promise.all(archives.map((bytes) => charts.upload(api(project), bytes)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409])
    const won = archives[answers.findIndex(({ status }) => status === 201)]
    expect((await charts.indexOf(project)).entries.harbour?.[0]?.digest).toBe(
      hex(won ?? Buffer.of()),
    )
  })

  test('takes a form with the fields chart and prov, and serves the provenance', async () => {
    const project = await charts.fresh()
    const archive = chartOf()
    const form = new FormData()
    form.append('chart', new Blob([archive]), 'x.tgz')
    form.append('prov', new Blob([provenanceOf('harbour', '1.0.0', archive)]), 'x.prov')
    form.append('force', 'ignored')
    expect((await charts.call('POST', api(project), { body: form })).status).toBe(201)
    const got = await charts.call('GET', `/charts/${project}/charts/harbour-1.0.0.tgz.prov`)
    expect(got.headers.get('content-type')).toBe('application/pgp-signature')
    expect(got.text).toBe(provenanceOf('harbour', '1.0.0', archive))
  })

  test('a provenance file can come later, for the archive that is there', async () => {
    const project = await charts.fresh()
    const archive = chartOf()
    const prov = `/charts/api/${project}/prov`
    const good = provenanceOf('harbour', '1.0.0', archive)
    const post = (body: string, query = '') => charts.call('POST', `${prov}${query}`, { body })
    expect((await post(good)).status).toBe(404)
    await charts.upload(api(project), archive)
    const file = `/charts/${project}/charts/harbour-1.0.0.tgz.prov`
    expect((await charts.call('GET', file)).status).toBe(404)
    for (const [body, problem] of [
      ['hello', 'not a PGP signed message'],
      [provenanceOf('harbour', '1.0.0', Buffer.from('other')), 'does not have the digest'],
    ] as const) {
      const answer = await post(body)
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(problem)])
    }
    expect((await post(good)).status).toBe(201)
    expect((await charts.call('GET', file)).text).toBe(good)
    expect(await charts.listed(project)).toEqual(['harbour 1.0.0'])
    expect((await post(good)).status).toBe(409)
    expect((await post(good, '?force')).status).toBe(201)
  })

  test('a provenance file for another chart stores nothing', async () => {
    const project = await charts.fresh()
    const archive = chartOf()
    const form = new FormData()
    form.append('chart', new Blob([archive]))
    form.append('prov', new Blob([provenanceOf('quay', '1.0.0', archive)]))
    expect((await charts.call('POST', api(project), { body: form })).status).toBe(400)
    expect(await charts.registry.repositories.find(nameOf(`${project}/harbour`))).toBeUndefined()
  })

  test.each([
    ['nothing', Buffer.of(), 'no package or provenance file'],
    ['no archive', Buffer.from('hello'), 'not a gzip file'],
    ['an upper-case name', chartOf({ name: 'Harbour' }), 'cannot be the name of a chart'],
    ['a name with a slash', gzipSync(tarOf([SLASHED])), 'cannot be the name of a chart'],
    ['a version that is none', chartOf({ version: 'one' }), 'not a semantic version'],
    ['a way out', chartOf({ files: { '../../x': '' } }), 'not accepted'],
  ])('refuses an upload of %s and stores nothing', async (_, archive, problem) => {
    const project = await charts.fresh()
    const answer = await charts.upload(api(project), archive)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(problem)])
    const stored = await charts.accounts.db.query
      .selectFrom('project_content')
      .innerJoin('project', 'project.id', 'project_content.project')
      .select('content')
      .where('project.name', '=', project)
      .execute()
    expect(stored).toEqual([])
  })

  test('a quota that has no room answers 507 and keeps nothing', async () => {
    const project = await charts.fresh({ quota: 2_000 })
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(3_000))).toString('hex')
    const answer = await charts.upload(api(project), chartOf({ files: { noise } }))
    expect([answer.status, JSON.parse(answer.text).error]).toEqual([
      507,
      expect.stringContaining('left'),
    ])
    expect(await charts.listed(project)).toEqual([])
    expect((await charts.upload(api(project), chartOf())).status).toBe(201)
  })

  test('an immutable version is neither replaced nor deleted', async () => {
    const project = await charts.fresh()
    const name = nameOf(`${project}/harbour`)
    for (const version of ['1.0.0', '2.0.0'])
      await charts.upload(api(project), chartOf({ version }))
    await charts.registry.tags.protect(name, '1.0.0', true)
    const other = chartOf({ files: { 'a.txt': '2' } })
    for (const answer of [
      await charts.upload(`${api(project)}?force`, other),
      await charts.call('DELETE', `${api(project)}/harbour/1.0.0`),
      await charts.call('DELETE', `${api(project)}/harbour`),
    ]) {
      expect([answer.status, answer.text]).toEqual([409, expect.stringContaining('immutable')])
    }
    expect(await charts.listed(project)).toEqual(['harbour 2.0.0', 'harbour 1.0.0'])
    expect((await charts.call('DELETE', `${api(project)}/harbour/2.0.0`)).status).toBe(200)
  })

  test('deletes one version, and with the last one the repository', async () => {
    const project = await charts.fresh()
    const name = nameOf(`${project}/harbour`)
    for (const version of ['1.0.0', '1.1.0+b']) {
      await charts.upload(api(project), chartOf({ version }))
    }
    const path = `${api(project)}/harbour`
    const gone = await charts.call('DELETE', `${path}/1.1.0+b`)
    expect([gone.status, JSON.parse(gone.text)]).toEqual([200, { deleted: true }])
    expect(await charts.listed(project)).toEqual(['harbour 1.0.0'])
    expect((await charts.call('DELETE', `${path}/1.1.0+b`)).status).toBe(404)
    expect((await charts.call('DELETE', `${path}/latest`)).status).toBe(404)
    expect(await charts.registry.repositories.find(name)).toBeDefined()
    expect((await charts.call('DELETE', `${path}/1.0.0`)).status).toBe(200)
    expect(await charts.registry.repositories.find(name)).toBeUndefined()
    const audit = await charts.accounts.db.query
      .selectFrom('audit')
      .select(['action', 'resource', 'account_name'])
      .where('resource', 'like', `${project}/%`)
      .orderBy('id')
      .execute()
    expect(audit.map((row) => Object.values(row).join(' '))).toEqual([
      `chart.delete ${project}/harbour:1.1.0+b root`,
      `chart.delete ${project}/harbour:1.0.0 root`,
    ])
  })

  test('what else is in the repository, or known by another tag, stays', async () => {
    const project = await charts.fresh()
    const name = nameOf(`${project}/harbour`)
    await charts.push(name.full, chartOf(), { tag: '1.0.0' })
    await charts.push(name.full, chartOf(), {
      tag: 'stable',
      config: { name: 'harbour', version: '1.0.0' },
    })
    const path = `${api(project)}/harbour`
    expect((await charts.call('DELETE', `${path}/1.0.0`)).status).toBe(200)
    expect(await charts.registry.tags.names(name, { limit: 9 })).toEqual(['stable'])

    const other = { name: 'harbour', version: 'none' }
    await charts.push(name.full, Buffer.from('an image, say'), { tag: 'image', config: other })
    for (const version of ['1.1.0', '1.2.0'])
      await charts.upload(api(project), chartOf({ version }))
    expect((await charts.call('DELETE', path)).status).toBe(200)
    expect(await charts.listed(project)).toEqual([])
    expect(await charts.registry.tags.names(name, { limit: 9 })).toEqual(['image', 'stable'])
    expect((await charts.call('DELETE', path)).status).toBe(404)
  })
})
