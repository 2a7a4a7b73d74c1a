import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { pushImage } from '../test-content.ts'
import type { Wire } from '../test-wire.ts'
import { type CcrBody, startTestCcr, type TestCcr } from './test-ccr.ts'
import { formOf } from './test-samples.ts'

setDefaultTimeout(60_000)

/* What the calls do besides the printed examples, against the running program. */

let ccr: TestCcr
let wire: Wire
beforeAll(async () => {
  ccr = await startTestCcr()
  wire = ccr.connect()
  for (const name of ['shop', 'paging', 'charts']) await ccr.ok('POST', '/projects', { name })
})
afterAll(() => ccr.stop())

const namesOf = ({ data }: CcrBody) =>
  (data as { repositoryName: string }[]).map(({ repositoryName }) => repositoryName)

describe('projects', () => {
  test('are private and without limit unless said otherwise', async () => {
    const { projects } = await ccr.ok('GET', '/projects?nameHas=shop')
    expect(projects).toMatchObject([{ projectName: 'shop', isPublic: false, quota: -1 }])
  })

  test('show what they use in MiB, rounded up', async () => {
    await ccr.ok('POST', '/projects', { name: 'used', quota: 5 * 1024 * 1024 })
    await pushImage(wire, ccr.admin, 'used/app', 'v1')
    const [project] = (await ccr.ok('GET', '/projects?nameHas=used')).projects
    expect(project).toMatchObject({ quota: 5 * 1024 * 1024, storageUsed: 1 })
  })

  test('are all of one tenant, the installation', async () => {
    const { projects } = await ccr.ok('GET', '/projects')
    const tenants = new Set(projects.map(({ tenantId }) => tenantId))
    expect(tenants.size).toBe(1)
    expect(formOf([...tenants][0])).toBe('9'.repeat(19))
  })

  test('that exist are 409, that do not are 404', async () => {
    const body = { name: 'shop' }
    expect(await ccr.failure('POST', '/projects', { body })).toBe('409 CCR.CodeErrAlreadyExists')
    expect(await ccr.failure('DELETE', '/projects/none')).toBe('404 CCR.CodeErrNotExists')
    const missing = await ccr.failure('GET', '/projects/none/repositories')
    expect(missing).toBe('404 CCR.CodeErrNotExists')
  })

  test('are not empty while a repository is there, pushed to or not', async () => {
    await ccr.ok('POST', '/projects', { name: 'full' })
    await ccr.ok('POST', '/projects/full/repositories', { repositoryName: 'empty' })
    expect(await ccr.failure('DELETE', '/projects/full')).toBe('403 CCR.CodeForbidOperate')
    await ccr.ok('DELETE', '/projects/full/repositories/empty')
    await ccr.ok('DELETE', '/projects/full')
    await ccr.ok('POST', '/projects', { name: 'full' })
  })

  test('may be called "charts"', async () => {
    expect(await ccr.ok('GET', '/projects/charts')).toMatchObject({ pageNo: 1, charts: [] })
    await ccr.ok('POST', '/projects/charts/repositories', { repositoryName: 'app' })
    expect(namesOf(await ccr.ok('GET', '/projects/charts/repositories'))).toEqual(['app'])
    await ccr.ok('DELETE', '/projects/charts/repositories/app')
    await ccr.ok('DELETE', '/projects/charts')
  })
})

describe('pages', () => {
  beforeAll(async () => {
    for (let i = 10; i < 22; i++) {
      await ccr.ok('POST', '/projects/paging/repositories', { repositoryName: `r${i}` })
    }
  })
  const LIST = '/projects/paging/repositories'

  test('count from 1, by either name, of ten unless said otherwise', async () => {
    expect(namesOf(await ccr.ok('GET', `${LIST}?pageNo=1`))).toHaveLength(10)
    for (const query of ['pageNo=2', 'page=2', 'page=2&pageNo=2', 'pageNo=002&pageSize=010']) {
      const answer = await ccr.call('GET', `${LIST}?${query}`)
      expect(namesOf(answer.body)).toEqual(['r20', 'r21'])
      expect(answer.body.totalCount).toBe(12)
      expect(answer.header('warning')).toBeUndefined()
    }
    const past = await ccr.ok('GET', `${LIST}?pageNo=2147483647&pageSize=1000`)
    expect(past).toMatchObject({ data: [], totalCount: 12 })
  })

  test('0 and none are page 1, which the answer says', async () => {
    for (const query of ['?pageNo=0', '?page=0', '', '?pageNo=']) {
      const answer = await ccr.call('GET', `/projects${query}`)
      expect(answer.body).toMatchObject({ page: 1, pageSize: 10 })
      expect(answer.header('warning')).toStartWith('299 - "')
    }
    const artifacts = await ccr.call('GET', `${LIST}/r10/artifacts`)
    expect(artifacts.body).toMatchObject({ page: 1, pageSize: 10, total: 0, artifacts: [] })
  })

  test('are left out by noPaging, whatever they say', async () => {
    for (const flag of ['true', 'True', '1']) {
      const { header, body } = await ccr.call('GET', `/projects?noPaging=${flag}&pageSize=0&page=x`)
      expect(body).toMatchObject({ page: 0, pageSize: 0, total: body.projects.length })
      expect(header('warning')).toBeUndefined()
    }
    expect(await ccr.ok('GET', '/projects/charts?noPaging=true')).toMatchObject({
      pageNo: 0,
      pageSize: 0,
    })
    expect(await ccr.ok('GET', '/projects?noPaging=false&pageNo=1')).toMatchObject({ page: 1 })
  })

  test('filter by a part of the name, with the total of what fits', async () => {
    const found = await ccr.ok('GET', `${LIST}?nameHas=r1&pageSize=3`)
    expect(found).toMatchObject({ totalCount: 10 })
    expect(namesOf(found)).toEqual(['r10', 'r11', 'r12'])
    expect(await ccr.ok('GET', `${LIST}?nameHas=%25`)).toMatchObject({ totalCount: 0 })
  })

  test('across projects are in the order of projects and names', async () => {
    const { data, totalCount } = await ccr.ok('GET', '/repositories?nameHas=r2&pageNo=1')
    expect(data).toMatchObject([
      { projectName: 'paging', repositoryName: 'r20' },
      { projectName: 'paging', repositoryName: 'r21' },
    ])
    expect(totalCount).toBe(2)
  })

  test.each([
    ['pageNo', '-1'],
    ['pageNo', '1.5'],
    ['pageNo', 'x'],
    ['pageNo', '2147483648'],
    ['page', '1e3'],
    ['pageSize', '0'],
    ['pageSize', '1001'],
    ['pageSize', '-1'],
  ])('refuse %s=%s', async (name, value) => {
    const { status, body } = await ccr.call('GET', `${LIST}?${name}=${value}`)
    expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
    expect(body.message).toStartWith(`参数错误: ${name} is "${value}": it must be a whole number`)
  })

  test('refuse what contradicts itself', async () => {
    for (const query of ['page=1&pageNo=2', 'pageSize=1&pageSize=2']) {
      expect(await ccr.failure('GET', `${LIST}?${query}`)).toBe('400 CCR.CodeParamError')
    }
    const flag = await ccr.call('GET', '/projects?noPaging=maybe')
    expect(flag.body.message).toBe('参数错误: noPaging is "maybe": it must be true or false')
  })

  test('take sizes at both edges', async () => {
    expect(namesOf(await ccr.ok('GET', `${LIST}?pageSize=1`))).toEqual(['r10'])
    expect(namesOf(await ccr.ok('GET', `${LIST}?pageSize=1000`))).toHaveLength(12)
  })
})

describe('repositories', () => {
  const LIST = '/projects/shop/repositories'

  test('exist before their first push, with their texts', async () => {
    const body = { repositoryName: 'sub1/sub2/repo', detail: 'long', summary: 'short' }
    await ccr.ok('POST', LIST, body)
    const { data } = await ccr.ok('GET', `${LIST}/sub1/sub2/repo`)
    expect(data).toMatchObject({
      projectName: 'shop',
      repositoryName: 'sub1/sub2/repo',
      detail: 'long',
      summary: 'short',
      imageTagCount: 0,
      public: false,
    })
    expect(await ccr.failure('POST', LIST, { body })).toBe('409 CCR.CodeErrAlreadyExists')
    await pushImage(wire, ccr.admin, 'shop/sub1/sub2/repo', 'v1')
    const pushed = await ccr.ok('GET', `${LIST}/sub1/sub2/repo`)
    expect(pushed.data).toMatchObject({ imageTagCount: 1, summary: 'short' })
  })

  test('are found raw, encoded and encoded twice', async () => {
    await ccr.ok('POST', LIST, { repositoryName: 'web/front' })
    for (const name of ['web/front', 'web%2Ffront', 'web%2ffront', 'web%252Ffront']) {
      const { data } = await ccr.ok('GET', `${LIST}/${name}`)
      expect(data).toMatchObject({ repositoryName: 'web/front' })
      expect(await ccr.ok('GET', `${LIST}/${name}/artifacts`)).toMatchObject({ total: 0 })
    }
  })

  test('may be called like the call of their artifacts, which takes an encoded slash', async () => {
    await ccr.ok('POST', LIST, { repositoryName: 'odd' })
    await ccr.ok('POST', LIST, { repositoryName: 'odd/artifacts' })
    expect(await ccr.ok('GET', `${LIST}/odd/artifacts`)).toHaveProperty('artifacts')
    for (const slash of ['%2F', '%252F']) {
      const { data } = await ccr.ok('GET', `${LIST}/odd${slash}artifacts`)
      expect(data).toMatchObject({ repositoryName: 'odd/artifacts' })
    }
    // Nothing is deleted by a path that is a list.
    expect(await ccr.failure('DELETE', `${LIST}/odd/artifacts`)).toBe('405 CCR.CodeParamError')
    await ccr.ok('DELETE', `${LIST}/odd%2Fartifacts`)
    await ccr.ok('GET', `${LIST}/odd`)
    // Only a digest makes it the call of an artifact.
    await ccr.ok('POST', LIST, { repositoryName: 'odd/artifacts/app' })
    await ccr.ok('GET', `${LIST}/odd/artifacts/app`)
    const digest = `${LIST}/odd/artifacts/sha256:12`
    expect(await ccr.failure('DELETE', digest)).toBe('400 CCR.CodeParamError')
  })

  test('pushed under names that nobody may create are shown', async () => {
    const names = ['a', 'a__b', `${'x'.repeat(70)}/deep`]
    for (const name of names) await pushImage(wire, ccr.admin, `shop/${name}`, 'v1')
    const all = namesOf(await ccr.ok('GET', `${LIST}?pageSize=1000`))
    for (const name of names) {
      expect(all).toContain(name)
      expect((await ccr.ok('GET', `${LIST}/${name}`)).data).toMatchObject({ repositoryName: name })
      expect(await ccr.ok('GET', `${LIST}/${name}/artifacts`)).toMatchObject({ total: 1 })
      const body = { repositoryName: `${name}_` }
      expect(await ccr.failure('POST', LIST, { body })).toBe('400 CCR.CodeParamError')
      await ccr.ok('DELETE', `${LIST}/${name}`)
    }
  })

  test.each(['ab', 'a'.repeat(64), 'a.b_c-d/e', '12'])('may be created as %p', async (name) => {
    await ccr.ok('POST', LIST, { repositoryName: name })
    await ccr.ok('DELETE', `${LIST}/${name}`)
  })

  test.each([
    ['a', 'too short'],
    ['a'.repeat(65), 'too long'],
    ['Ab', 'upper case'],
    ['a--b', 'separators in a row'],
    ['a//b', 'slashes in a row'],
    ['a/-b', 'separators in a row'],
    ['-ab', 'a separator first'],
    ['ab/', 'a separator last'],
    ['a b', 'a blank'],
    ['仓库', 'other letters'],
    ['ab\n', 'a line end'],
    [7, 'no text'],
    [null, 'nothing'],
  ])('may not be created as %p: %s', async (repositoryName) => {
    const { status, body } = await ccr.call('POST', LIST, { body: { repositoryName } })
    expect(`${status} ${body.code}`).toBe('400 CCR.CodeParamError')
    expect(body.message).toContain('repositoryName is ')
    expect(body.message).toContain('it must be 2 to 64 lower-case letters and digits')
  })

  test.each([
    ['summary', 100],
    ['detail', 256],
  ])('take a %s of %d characters', async (field, max) => {
    for (const letter of ['a', '字', '🚢']) {
      const create = (count: number) =>
        ccr.call('POST', LIST, {
          body: { repositoryName: 'texts', [field]: letter.repeat(count) },
        })
      expect((await create(max + 1)).body.message).toContain(`at most ${max} characters`)
      expect((await create(max)).status).toBe(200)
      const { data } = await ccr.ok('GET', `${LIST}/texts`)
      expect(data).toMatchObject({ [field]: letter.repeat(max) })
      await ccr.ok('DELETE', `${LIST}/texts`)
    }
    const control = { repositoryName: 'texts', [field]: 'a\u0000b' }
    expect(await ccr.failure('POST', LIST, { body: control })).toBe('400 CCR.CodeParamError')
  })

  test('go with their tags and artifacts, but not with an immutable tag', async () => {
    const { digest } = await pushImage(wire, ccr.admin, 'shop/gone', 'v1')
    const tag = '/api/v1/projects/shop/repositories/gone/tags/v1'
    const protect = (immutable: boolean) => ccr.call('PATCH', tag, { body: { immutable } })
    expect((await protect(true)).status).toBe(200)
    expect(await ccr.failure('DELETE', `${LIST}/gone`)).toBe('403 CCR.CodeForbidOperate')
    const artifact = `${LIST}/gone/artifacts/${digest}`
    expect(await ccr.failure('DELETE', artifact)).toBe('403 CCR.CodeForbidOperate')
    await protect(false)
    await ccr.ok('DELETE', `${LIST}/gone`)
    for (const path of [`${LIST}/gone`, `${LIST}/gone/artifacts`]) {
      expect(await ccr.failure('GET', path)).toBe('404 CCR.CodeErrNotExists')
    }
    const pull = await wire.request('GET', '/v2/shop/gone/manifests/v1', { as: ccr.admin })
    expect(pull.status).toBe(404)
  })
})
