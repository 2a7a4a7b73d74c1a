import { afterAll, beforeAll, expect, test } from 'bun:test'
import { chartOf, hex } from '../../charts/test-charts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { api, createTestCharts, nameOf, type TestCharts } from './test-charts.ts'

onEachEngine('reading charts over HTTP', (create) => {
  let charts: TestCharts
  beforeAll(async () => {
    charts = await createTestCharts(create)
  })
  afterAll(async () => {
    expect(await charts.problems()).toEqual([])
    await charts.remove()
  })

  test('what is pushed to the registry is listed, newest version first', async () => {
    const project = await charts.fresh()
    for (const version of ['1.9.0', '1.10.0', '2.0.0-rc.1', '1.10.0-rc.2']) {
      await charts.push(`${project}/harbour`, chartOf({ version }), { tag: version })
    }
    await charts.push(`${project}/a`, chartOf({ name: 'a' }), { tag: '1.0.0' })
    expect(await charts.listed(project)).toEqual([
      'a 1.0.0',
      'harbour 2.0.0-rc.1',
      'harbour 1.10.0',
      'harbour 1.10.0-rc.2',
      'harbour 1.9.0',
    ])
    const latest = await charts.call('GET', `${api(project)}/harbour/latest`)
    expect(JSON.parse(latest.text).version).toBe('1.10.0')
  })

  test('deeper charts have the repository of their folder, also one called charts', async () => {
    const project = await charts.fresh()
    await charts.push(`${project}/charts/north/a`, chartOf({ name: 'a' }), { tag: '1.0.0' })
    await charts.upload(api(`${project}/charts`), chartOf({ name: 'b' }))
    await charts.upload(api(project), chartOf({ name: 'c' }))
    expect(await charts.listed(project)).toEqual(['c 1.0.0'])
    expect(await charts.listed(`${project}/charts`)).toEqual(['b 1.0.0'])
    expect(await charts.listed(`${project}/charts/north`)).toEqual(['a 1.0.0'])
    expect(await charts.listed(`${project}/none`)).toEqual([])
    for (const [path, status] of [
      [`${project}/charts/north/charts/a-1.0.0.tgz`, 200],
      [`${project}/charts/charts/b-1.0.0.tgz`, 200],
      [`${project}/charts/c-1.0.0.tgz`, 200],
      [`${project}/charts/a-1.0.0.tgz`, 404],
      [`${project}/charts/charts/c-1.0.0.tgz`, 404],
    ] as const) {
      expect([path, (await charts.call('GET', `/charts/${path}`)).status]).toEqual([path, status])
    }
    const shown = await charts.call('GET', `${api(`${project}/charts`)}/b/1.0.0`)
    expect(JSON.parse(shown.text).name).toBe('b')
  })

  test('files are found by their name, which nobody splits', async () => {
    const project = await charts.fresh()
    await charts.push(`${project}/a-1`, chartOf({ name: 'a-1', version: '2.0.0' }), {
      tag: '2.0.0',
    })
    await charts.push(`${project}/a`, chartOf({ name: 'a', version: '3.0.0-1' }), {
      tag: '3.0.0-1',
    })
    for (const [file, name] of [
      ['a-1-2.0.0.tgz', 'a-1'],
      ['a-3.0.0-1.tgz', 'a'],
    ] as const) {
      const { bytes } = await charts.call('GET', `/charts/${project}/charts/${file}`)
      const entry = JSON.parse((await charts.call('GET', `${api(project)}/${name}/latest`)).text)
      expect([file, hex(bytes)]).toEqual([file, entry.digest])
    }
    // Another chart that would have the same file is not listed, and not taken.
    const twin = chartOf({ name: 'a', version: '1-2.0.0' })
    await charts.push(`${project}/a`, twin, { tag: '1-2.0.0' })
    expect(charts.log.at(-1)?.reason).toContain('another chart has the file name')
    expect(await charts.listed(project)).toEqual(['a 3.0.0-1', 'a-1 2.0.0'])
    const upload = await charts.upload(`${api(project)}?force`, twin)
    expect(upload.status).toBe(409)
  })

  test('versions come and go with their tags', async () => {
    const project = await charts.fresh()
    const name = nameOf(`${project}/harbour`)
    const digest = await charts.push(name.full, chartOf(), { tag: '1.0.0' })
    // A tag that is not its version lists nothing; neither does anything else under its version.
    await charts.push(name.full, chartOf({ version: '2.0.0' }), {
      tag: 'stable',
      config: { name: 'harbour', version: '2.0.0' },
    })
    expect(await charts.listed(project)).toEqual(['harbour 1.0.0'])
    await charts.push(name.full, Buffer.from('no archive'), { tag: '1.0.0' })
    expect(await charts.listed(project)).toEqual([])
    expect(charts.log.at(-1)?.reason).toContain('not a gzip file')
    // The first manifest is still there, and listed again when it gets its tag back.
    expect(await charts.push(name.full, chartOf(), { tag: '1.0.0' })).toBe(digest as never)
    expect(await charts.listed(project)).toEqual(['harbour 1.0.0'])
    await charts.registry.tags.remove(name, '1.0.0', null)
    expect(await charts.listed(project)).toEqual([])
    await charts.push(name.full, chartOf(), { tag: '1.0.0' })
    await charts.accounts.db.transaction((tx) =>
      charts.registry.repositories.remove(tx, name, null, 'test'),
    )
    expect(await charts.listed(project)).toEqual([])
    expect((await charts.charts.catalog.list({ nameHas: 'harbour' })).charts).not.toContainEqual(
      expect.objectContaining({ project }),
    )
  })

  test.each([
    ['a config without a version', { name: 'harbour' }, 'no name and version'],
    ['a config with another version', { name: 'harbour', version: '1.0.0+x' }, undefined],
    ['a version that is none', { name: 'harbour', version: 'one' }, 'not a semantic version'],
    ['another name', { name: 'other', version: '1.0.0' }, 'the repository is not'],
  ])('a push with %s is taken and not listed', async (_, config, reason) => {
    const project = await charts.fresh()
    const lines = charts.log.length
    await charts.push(`${project}/harbour`, chartOf(), { tag: '1.0.0', config })
    expect(await charts.listed(project)).toEqual([])
    const told = charts.log.slice(lines).map((line) => line.reason)
    expect(told).toEqual(reason === undefined ? [] : [expect.stringContaining(reason)])
  })

  test('an archive that is not the chart of its config is not listed', async () => {
    const project = await charts.fresh()
    await charts.push(`${project}/harbour`, chartOf({ name: 'quay' }), { tag: '1.0.0' })
    expect(await charts.listed(project)).toEqual([])
    expect(charts.log.at(-1)?.reason).toContain('not those of the config')
  })

  test('shows lists, versions, and what is in an archive', async () => {
    const project = await charts.fresh()
    const files = {
      'values.yaml': 'image: {tag: 1.10, pull: true}\n',
      'README.md': '# A harbour\n',
      'templates/a.yaml': 'kind: A\n',
      'templates/tests/b.yaml': 'kind: B\n',
      'charts/sub/values.yaml': 'x: 1\n',
    }
    await charts.upload(api(project), chartOf({ files }))
    await charts.upload(api(project), chartOf({ name: 'bare', version: '0.1.0' }))
    const get = async (path: string) => {
      const { status, text } = await charts.call('GET', `${api(project)}${path}`)
      return [status, text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text]
    }
    const names = async (query: string) => Object.keys((await get(query))[1])
    expect(await names('')).toEqual(['bare', 'harbour'])
    expect(await names('?offset=1&limit=5')).toEqual(['harbour'])
    expect(await names('?limit=1')).toEqual(['bare'])
    expect(await get('?limit=0')).toEqual([400, { error: 'limit is not a valid positive integer' }])
    expect(await get('?offset=x')).toEqual([
      400,
      { error: 'offset is not a valid non-negative integer' },
    ])
    expect((await get('/harbour'))[1]).toEqual([(await get('/harbour/1.0.0'))[1]])
    expect(await get('/harbour/1.0.0/readme')).toEqual([200, '# A harbour\n'])
    expect(await get('/harbour/1.0.0/values')).toEqual([200, files['values.yaml']])
    expect((await get('/harbour/latest/templates'))[1]).toEqual({
      templates: ['templates/a.yaml', 'templates/tests/b.yaml'].map((path) => ({
        name: path,
        data: Buffer.from(files[path as keyof typeof files]).toString('base64'),
      })),
      values: { image: { tag: 1.1, pull: true } },
    })
    for (const path of ['/bare/0.1.0/readme', '/bare/0.1.0/values', '/none', '/bare/9.0.0']) {
      expect([path, (await get(path))[0]]).toEqual([path, 404])
    }
    expect((await get('/bare/0.1.0/templates'))[1]).toEqual({ templates: [], values: {} })
  })

  test('answers programs for Harbor as it did', async () => {
    const project = await charts.fresh()
    const base = `/api/chartrepo/${project}/charts`
    const archive = chartOf({
      yaml: 'icon: https://i\n',
      files: { 'values.yaml': 'a: {b: 1}\nc: []\n', 'README.md': 'hi' },
    })
    const form = new FormData()
    form.append('chart', new Blob([archive]))
    expect((await charts.call('POST', base, { body: form })).status).toBe(201)
    await charts.upload(base, chartOf({ version: '0.9.0' }))
    const list = JSON.parse((await charts.call('GET', base)).text)
    expect(list).toEqual([
      {
        name: 'harbour',
        total_versions: 2,
        latest_version: '1.0.0',
        created: '2026-03-01T12:00:00.250Z',
        updated: '2026-03-01T12:00:00.250Z',
        icon: 'https://i',
        home: '',
        deprecated: false,
      },
    ])
    const details = JSON.parse((await charts.call('GET', `${base}/harbour/1.0.0`)).text)
    expect(details).toMatchObject({
      metadata: { name: 'harbour', version: '1.0.0', digest: hex(archive) },
      dependencies: [],
      values: { 'a.b': 1, c: [] },
      files: { 'README.md': 'hi', 'values.yaml': 'a: {b: 1}\nc: []\n' },
      security: { signature: { signed: false, prov_file: '' } },
      labels: [],
    })
    // Without a context path cm-push finds `/api/chartrepo/<project>/charts`.
    expect((await charts.indexOf(project, '/chartrepo')).serverInfo).toEqual({})
    const file = await charts.call('GET', `/chartrepo/${project}/charts/harbour-1.0.0.tgz`)
    expect(hex(file.bytes)).toBe(hex(archive))
    expect((await charts.call('DELETE', `${base}/harbour`)).status).toBe(200)
    expect((await charts.call('GET', '/api/chartrepo/health')).text).toBe('{"healthy":true}')
  })

  test('an unchanged index is 304, a HEAD is a GET without its body', async () => {
    const project = await charts.fresh()
    await charts.upload(api(project), chartOf())
    const paths = [`/charts/${project}/index.yaml`, `/charts/${project}/charts/harbour-1.0.0.tgz`]
    for (const path of paths) {
      const got = await charts.call('GET', path)
      const etag = got.headers.get('etag') ?? ''
      expect(etag).toStartWith('"')
      const again = await charts.call('GET', path, { headers: { 'if-none-match': `W/${etag}` } })
      expect([again.status, again.text]).toEqual([304, ''])
      const head = await charts.call('HEAD', path)
      expect([head.status, head.text, head.headers.get('content-length')]).toEqual([
        200,
        '',
        String(got.bytes.length),
      ])
    }
    expect((await charts.call('HEAD', `${api(project)}/harbour/1.0.0`)).status).toBe(200)
    expect((await charts.call('HEAD', `${api(project)}/harbour/1.0.1`)).status).toBe(404)
  })

  test('a project called charts is one like others', async () => {
    await charts.project('charts')
    await charts.upload(api('charts'), chartOf())
    await charts.upload('/charts/charts/api/charts', chartOf({ version: '2.0.0' }))
    expect(await charts.listed('charts')).toEqual(['harbour 2.0.0', 'harbour 1.0.0'])
    expect((await charts.call('GET', '/charts/charts/charts/harbour-1.0.0.tgz')).status).toBe(200)
  })

  test('names that cannot be are not there, however they are encoded', async () => {
    const project = await charts.fresh()
    for (const path of [
      `/charts/${project}/charts/a%00-1.0.0.tgz`,
      `/charts/${project}/charts/%ff-1.0.0.tgz`,
      `/charts/${project}/charts/..%2f..%2fa-1.0.0.tgz`,
      `${api(project)}/a/1.0.0%00`,
      `${api(project)}/a%2fb/1.0.0`,
      `${api(project)}/a%00/1.0.0`,
      `/charts/${project}%00/index.yaml`,
      `/charts/${project}/%2e%2e/index.yaml`,
    ]) {
      expect([path, (await charts.call('GET', path)).status]).toEqual([path, 404])
    }
  })

  test('asks for Basic, and says what is not there', async () => {
    const index = '/charts/nowhere/index.yaml'
    for (const as of [null, 'Basic eDp5']) {
      const answer = await charts.call('GET', index, { as })
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
        401,
        'Basic realm="Entrepot", charset="UTF-8"',
      ])
    }
    expect((await charts.call('GET', index)).status).toBe(404)
    expect((await charts.call('GET', '/charts/Nowhere/index.yaml')).status).toBe(404)
    expect((await charts.call('GET', '/charts/nowhere')).status).toBe(404)
    const wrong = await charts.call('PUT', '/charts/api/nowhere/charts')
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST'])
  })
})
