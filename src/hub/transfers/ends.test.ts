import { afterEach, beforeEach, expect, test } from 'bun:test'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { buildIn, bytesOf } from './test-images.ts'
import { createTestTransfers, type TestTransfers } from './test-transfers.ts'

onEachEngine('the ends of a transfer', (create) => {
  let its: TestTransfers
  beforeEach(async () => {
    its = await createTestTransfers(create)
  })
  afterEach(() => its.remove())

  test('are the registries that were asked for, whatever others are called since', async () => {
    const { id: project } = await its.project('payments')
    const { id: elsewhere } = await its.project('elsewhere')
    const { record, ...harbor } = await its.external('harbor', { projects: [project] })
    buildIn(harbor, 'team/app').image([bytesOf('layer', 1_000)], {}, '1.0')
    const { id } = await its.transfers.create(
      {
        project: 'payments',
        source: { registry: 'harbor', repository: 'team/app', reference: '1.0' },
        target: { registry: 'self', repository: 'payments/app' },
      },
      its.root,
    )
    await its.registries.update(record.id, { projects: [elsewhere] }, { mayUsePrivate: true })
    await its.external(record.id, { projects: [project] })
    its.work()
    const ended = await its.until(id, ({ finishedAt }) => finishedAt !== null)
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'not_found' } })
    expect(ended.error?.says?.name).toBe('registry_gone')
  })
})
