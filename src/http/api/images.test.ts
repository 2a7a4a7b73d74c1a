import { afterEach, beforeEach, expect, test } from 'bun:test'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

onEachEngine('images of external registries', (create) => {
  let api: TestApi
  let ids: Record<string, string>
  beforeEach(async () => {
    api = await createTestApi(create)
    await api.accounts.createUser('alice')
    await api.expect(201, 'POST', '/projects', { as: 'root', body: { name: 'payments' } })
    ids = {}
    for (const [name, projects] of [
      ['open', null],
      ['closed', ['payments']],
    ] as const) {
      const body = { name, provider: 'harbor', address: `https://${name}.example.com`, projects }
      const made = await api.expect(201, 'POST', '/registries', { as: 'root', body })
      ids[name] = String(made.body.id)
    }
    const { db } = api.accounts
    const rows = ['open', 'closed'].flatMap((name) =>
      Array.from({ length: 5 }, (_, i) => ({
        registry: ids[name] ?? '',
        repository: `team/App-${i % 2}`.toLowerCase(),
        namespace: 'team',
        image_name: `app-${i % 2}`,
        tag: `V1.${i}_x`,
        digest: `sha256:${String(i).repeat(64)}`,
        media_type: 'application/vnd.oci.image.manifest.v1+json',
        size: 10 + i,
        is_multiarch: i === 4 ? (1 as const) : (0 as const),
        platforms: '["linux/amd64"]',
        children: '[]',
        latest_version: i >= 3 ? (1 as const) : (0 as const),
        updated_at: 1,
        first_seen_at: 1,
        synced_at: 2,
        sync: 1,
        gone_at: null,
      })),
    )
    await db.query.insertInto('registry_image').values(rows).execute()
    const repositories = [
      ...new Map(rows.map((row) => [`${row.registry} ${row.repository}`, row])).values(),
    ]
    await db.query
      .insertInto('registry_repository')
      .values(
        repositories.map(({ registry, repository }) => ({ registry, repository, listed_by: 1 })),
      )
      .execute()
    await db.query
      .insertInto('registry_tags')
      .values(
        rows.map(({ registry, repository, tag }) => ({
          registry,
          repository,
          count: 1,
          tags: tag.toLowerCase(),
        })),
      )
      .execute()
    await db.query
      .updateTable('registry_image')
      .set({ gone_at: 3 })
      .where('tag', '=', 'V1.0_x')
      .execute()
  })
  afterEach(() => api.remove())

  const list = async (path: string, as = 'root') => {
    const { body } = await api.expect(200, 'GET', path, { as })
    return { total: body.total, tags: body.items.map(({ tag }) => tag), next: body.next }
  }

  test('of all that one may see, by the page, with their number', async () => {
    expect(await list('/images')).toMatchObject({ total: 8, next: null })
    expect(await list('/images', 'alice')).toMatchObject({ total: 4 })
    await api.expect(404, 'GET', `/registries/${ids.closed}/images`, { as: 'alice' })
    const first = await list('/images?limit=3', 'alice')
    expect(first).toMatchObject({ total: 4, tags: ['V1.1_x', 'V1.2_x', 'V1.3_x'] })
    const rest = await list(`/images?limit=3&after=${first.next}`, 'alice')
    expect(rest).toEqual({ total: 4, tags: ['V1.4_x'], next: null })
    await api.expect(400, 'GET', '/images?after=x', { as: 'alice' })
  })

  test('searched and filtered; wildcards are none', async () => {
    const of = async (query: string) => (await list(`/registries/${ids.open}/images?${query}`)).tags
    expect(await of('search=v1.3')).toEqual(['V1.3_x'])
    expect(await of('search=APP-1')).toEqual(['V1.1_x', 'V1.3_x'])
    expect(await of('search=%25')).toEqual([])
    expect(await of('search=3_X')).toEqual(['V1.3_x'])
    expect(await of('search=3-x')).toEqual([])
    expect(await of('repository=team/app-1')).toEqual(['V1.1_x', 'V1.3_x'])
    expect(await of('namespace=other')).toEqual([])
    expect(await of('tag=V1.2_x')).toEqual(['V1.2_x'])
    expect(await of(`digest=sha256:${'1'.repeat(64)}`)).toEqual(['V1.1_x'])
    expect(await of('latest=true')).toEqual(['V1.3_x', 'V1.4_x'])
    expect(await of('multiarch=true')).toEqual(['V1.4_x'])
    expect(await of('multiarch=false')).toEqual(['V1.1_x', 'V1.2_x', 'V1.3_x'])
    expect(await of('minSize=12&maxSize=13')).toEqual(['V1.2_x', 'V1.3_x'])
    expect(await of('platform=linux/amd64&minSize=14')).toEqual(['V1.4_x'])
    expect(await of('platform=linux/amd')).toEqual([])
    await api.expect(400, 'GET', '/images?minSize=-1', { as: 'alice' })
  })

  test('those that are gone are shown to who asks for them, and only these', async () => {
    const { body } = await api.expect(200, 'GET', '/images?gone=true', { as: 'alice' })
    expect(body).toMatchObject({ total: 1, items: [{ tag: 'V1.0_x', goneAt: 3 }] })
    expect(await list('/images?gone=false', 'alice')).toMatchObject({ total: 4 })
  })

  test('a sync is asked for once, is seen in the list, and told in the audit', async () => {
    const path = `/registries/${ids.open}`
    const first = await api.expect(200, 'POST', `${path}/sync`, { as: 'root' })
    expect(first.body).toMatchObject({ state: 'queued', trigger: 'manual', failures: [] })
    const second = await api.expect(200, 'POST', `${path}/sync`, { as: 'root' })
    expect(second.body.id).toBe(first.body.id)
    const { body } = await api.expect(200, 'GET', `${path}/syncs`, { as: 'alice' })
    expect(body.items).toEqual([first.body as (typeof body.items)[number]])
    expect((await api.audited()).filter((entry) => entry.includes('sync'))).toEqual([
      'registry-sync.create open',
    ])
    await api.expect(404, 'GET', `/registries/${ids.closed}/syncs`, { as: 'alice' })
    await api.expect(404, 'POST', '/registries/none/sync', { as: 'root' })
  })
})
