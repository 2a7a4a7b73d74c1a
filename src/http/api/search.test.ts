import { afterEach, beforeEach, expect, test } from 'bun:test'
import { chartOf } from '../../charts/test-charts.ts'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { createTestApi, type TestApi } from './test-api.ts'

onEachEngine('search', (create) => {
  let api: TestApi
  beforeEach(async () => {
    api = await createTestApi(create)
    await api.accounts.createUser('alice')
    await api.accounts.createUser('stranger')
    for (const [name, isPublic] of [
      ['shop', false],
      ['workshop', true],
      ['pay_ments', false],
    ] as const) {
      const body = { name, public: isPublic }
      await api.expect(201, 'POST', '/projects', { as: 'alice', body })
    }
    for (const name of ['shop/web', 'shop/tools/web', 'workshop/webcam', 'pay_ments/ledger']) {
      await api.push(name, 'a')
    }
  })
  afterEach(async () => {
    expect(api.failures).toEqual([])
    await api.remove()
  })

  async function find(q: string, as: string | null = 'alice', limit = 100) {
    const found: string[] = []
    let after: string | null = ''
    while (after !== null) {
      const asked = new URLSearchParams({ q, limit: String(limit), ...(after && { after }) })
      const { body } = await api.expect(200, 'GET', `/search?${asked}`, {
        as: as ?? undefined,
      })
      found.push(
        ...body.items.map(({ kind, project, repository }) =>
          [kind, project, repository].filter(Boolean).join(' '),
        ),
      )
      after = body.next
    }
    return found
  }

  test('finds parts of names, in pages that lose and repeat nothing', async () => {
    const web = ['repository shop tools/web', 'repository shop web', 'repository workshop webcam']
    const shop = ['project shop', 'project workshop']
    for (const limit of [1, 2, 3, 100]) {
      expect(await find('WEB', 'alice', limit)).toEqual(web)
      expect(await find('shop', 'alice', limit)).toEqual(shop)
      expect(await find('o', 'alice', limit)).toEqual([...shop, 'repository shop tools/web'])
    }
    // Across the border of project and repository, and within a path.
    expect(await find('shop/web')).toEqual(['repository shop web', 'repository workshop webcam'])
    expect(await find('tools/w')).toEqual(['repository shop tools/web'])
    expect(await find('shop/')).toHaveLength(3)
  })

  test('takes wildcards for what they are', async () => {
    expect(await find('_')).toEqual(['project pay_ments'])
    expect(await find('y_m')).toEqual(['project pay_ments'])
    for (const text of ['%', 'w_b', '\\', "'", 'w%b']) expect(await find(text)).toEqual([])
  })

  test('shows nobody what they may not read', async () => {
    const open = ['project workshop', 'repository workshop webcam']
    for (const as of [null, 'stranger']) {
      expect([...(await find('shop', as)), ...(await find('web', as))]).toEqual(open)
      expect(await find('ledger', as)).toEqual([])
      expect(await find('shop/web', as)).toEqual(['repository workshop webcam'])
    }
    expect(await find('ledger', 'root')).toEqual(['repository pay_ments ledger'])
  })

  test('says what is a chart', async () => {
    const upload = {
      project: 'shop',
      folder: '',
      force: false,
      account: null,
      authorize: async () => ({ account: null, mayCreateProject: false, publicProject: false }),
    }
    await api.charts.publisher.publish(upload, chartOf())
    expect(await find('harbour')).toEqual(['chart shop harbour'])
  })

  test('wants a text, and a position that it gave', async () => {
    for (const query of ['', 'q=', 'q=%20', 'q=a&after=x', `q=${'a'.repeat(256)}`]) {
      await api.expect(400, 'GET', `/search?${query}`, { as: 'alice' })
    }
  })
})
