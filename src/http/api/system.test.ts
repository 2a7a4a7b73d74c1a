import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import packageJson from '../../../package.json'
import { createTestApi, type TestApi } from './test-api.ts'

let api: TestApi

beforeEach(async () => {
  api = await createTestApi()
  await api.accounts.createUser('alice')
})
afterEach(async () => {
  expect(api.failures).toEqual([])
  await api.remove()
})

test('the version is told to those who signed in', async () => {
  const { body } = await api.expect(200, 'GET', '/system/info', { as: 'alice' })
  expect(body).toEqual({ version: packageJson.version } as never)
  await api.expect(401, 'GET', '/system/info')
})

describe('the audit', () => {
  test('is listed newest first, filtered and in pages', async () => {
    for (const name of ['one', 'two', 'three']) {
      await api.expect(201, 'POST', '/projects', { as: 'alice', body: { name } })
      api.accounts.pass(1_000)
    }
    await api.expect(201, 'POST', '/tokens', { as: 'root', body: { name: 't' } })
    const list = async (query: string) => {
      const { body } = await api.expect(200, 'GET', `/audit?${query}`, { as: 'root' })
      return { resources: body.items.map(({ resource }) => resource), next: body.next }
    }
    expect((await list('')).resources).toEqual(['root', 'three', 'two', 'one'])
    const first = await list('action=project.create&limit=2')
    expect(first.resources).toEqual(['three', 'two'])
    expect(await list(`action=project.create&limit=2&after=${first.next}`)).toEqual({
      resources: ['one'],
      next: null,
    })
    const { id } = (await api.call('GET', '/projects/two', { as: 'root' })).body
    expect((await list(`project=${id}`)).resources).toEqual(['two'])
    const alice = (await api.accounts.users.find('alice'))?.id
    expect((await list(`account=${alice}`)).resources).toHaveLength(3)
    const now = api.accounts.clock()
    expect((await list(`since=${now - 2_000}&until=${now}`)).resources).toEqual(['three', 'two'])
    for (const query of ['after=x', 'after=1', 'project=x', 'since=yesterday', 'who=alice']) {
      await api.expect(400, 'GET', `/audit?${query}`, { as: 'root' })
    }
  })

  test('is for system administrators', async () => {
    await api.expect(403, 'GET', '/audit', { as: 'alice' })
    await api.expect(401, 'GET', '/audit')
  })
})

describe('jobs', () => {
  const type = { name: 'test.work', schema: z.object({ of: z.string() }) }
  const enqueue = async (of: string) => {
    const id = await api.accounts.db.transaction((tx) => api.queue.enqueue(tx, type, { of }))
    return id ?? 0
  }

  test('are listed and read', async () => {
    const ids = [await enqueue('a'), await enqueue('b')]
    const { body } = await api.expect(200, 'GET', '/jobs', { as: 'root' })
    expect(body.items).toMatchObject([
      { id: ids[1], name: 'test.work', state: 'queued', payload: { of: 'b' }, progress: null },
      { id: ids[0] },
    ])
    const first = await api.expect(200, 'GET', '/jobs?limit=1&name=test.work', { as: 'root' })
    expect(first.body.next).toBe(String(ids[1]))
    const rest = await api.expect(200, 'GET', `/jobs?after=${first.body.next}`, { as: 'root' })
    expect(rest.body).toMatchObject({ items: [{ id: ids[0] }], next: null })
    expect((await api.call('GET', '/jobs?state=done', { as: 'root' })).body.items).toEqual([])
    const one = await api.expect(200, 'GET', `/jobs/${ids[0]}`, { as: 'root' })
    expect(one.body).toMatchObject({ id: ids[0], payload: { of: 'a' } })
    await api.expect(400, 'GET', '/jobs?state=odd', { as: 'root' })
    await api.expect(404, 'GET', '/jobs/999', { as: 'root' })
    await api.expect(400, 'GET', '/jobs/x', { as: 'root' })
  })

  test('are cancelled and tried again', async () => {
    const id = await enqueue('a')
    await api.expect(403, 'POST', `/jobs/${id}/cancel`, { as: 'alice' })
    await api.expect(409, 'POST', `/jobs/${id}/retry`, { as: 'root' })
    const cancelled = await api.expect(200, 'POST', `/jobs/${id}/cancel`, { as: 'root' })
    expect(cancelled.body.state).toBe('cancelled')
    const again = await api.expect(409, 'POST', `/jobs/${id}/cancel`, { as: 'root' })
    expect(again.body.detail).toBe(`job ${id} is neither queued nor running`)
    const retried = await api.expect(200, 'POST', `/jobs/${id}/retry`, { as: 'root' })
    expect(retried.body.state).toBe('queued')
    await api.expect(404, 'POST', '/jobs/999/cancel', { as: 'root' })
    expect(await api.audited()).toEqual(['job.cancel test.work', 'job.retry test.work'])
  })

  test('are for system administrators', async () => {
    for (const path of ['/jobs', '/jobs/1']) {
      await api.expect(403, 'GET', path, { as: 'alice' })
      await api.expect(401, 'GET', path)
    }
  })
})
