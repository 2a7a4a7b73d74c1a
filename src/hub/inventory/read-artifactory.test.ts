import { afterEach, expect, test } from 'bun:test'
import { onEachEngine } from '../../store/db/test-databases.ts'
import { reasonsOf } from './sync-rows.ts'
import {
  ARTIFACTORY_LOGIN,
  type ArtifactoryServer,
  startArtifactoryServer,
} from './test-artifactory-server.ts'
import { expectEqualToSource } from './test-equality.ts'
import { createTestSyncOf, type TestSync } from './test-inventory.ts'

let artifactory: ArtifactoryServer
let inv: TestSync
afterEach(async () => {
  await inv.stop()
  await artifactory.stop()
})

async function start(
  repositories: Record<string, string[]>,
  create?: Parameters<typeof createTestSyncOf>[3],
) {
  artifactory = startArtifactoryServer(repositories)
  inv = await createTestSyncOf('jfrog', artifactory, ARTIFACTORY_LOGIN, create)
}

const many = (count: number) => Array.from({ length: count }, (_, index) => `1.0.${index}`)

onEachEngine('Artifactory by its search', (create) => {
  test('is complete, and a second run asks for its list alone', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `docker-${i % 2}/team/app-${i}`)
    const tags = [...many(23), 'multi-1', 'arm-1']
    await start(Object.fromEntries(names.map((name) => [name, tags])), create)
    artifactory.tooManyEvery = 97
    const first = await inv.sync()
    expect(first).toMatchObject({ state: 'done', images: 1_000, error: null, note: null })
    await expectEqualToSource(inv, artifactory)
    const requests = artifactory.requests()
    // Tokens end after 50 uses.
    expect(artifactory.counts.token).toBeGreaterThan(40)
    artifactory.reset()
    const second = await inv.sync()
    expect(second).toMatchObject({ state: 'done', images: 1_000, manifests_read: 0 })
    expect(artifactory.counts).toEqual({ repositories: 1, aql: 2 })
    expect(artifactory.requests()).toBeLessThan(requests / 100)
    await expectEqualToSource(inv, artifactory)
  }, 60_000)
})

test('what changes is read again, and nothing else: pushes, moved tags, deletions', async () => {
  await start({ 'd/one': many(3), 'd/two': many(3), 'd/two/deep': many(2), 'd/three': ['1'] })
  await inv.sync()
  artifactory.push('d/one', 'new')
  artifactory.push('d/two', '1.0.0', artifactory.repositories.get('d/two')?.tags.get('1.0.1')?.seed)
  artifactory.remove('d/two', '1.0.2')
  artifactory.remove('d/three')
  artifactory.reset()
  const row = await inv.sync()
  // The moved tag's digest is known, but not of this tag.
  expect(row).toMatchObject({ state: 'done', manifests_read: 2, images: 8 })
  expect(artifactory.counts.aql).toBe(3)
  await expectEqualToSource(inv, artifactory)
})

test('a repository that fails leaves the others', async () => {
  await start({ 'd/bad': many(3), 'd/good': many(3) })
  artifactory.refuse = (kind, path) =>
    kind === 'manifests' && path.includes('/bad/') ? 403 : undefined
  const row = await inv.sync()
  expect(row).toMatchObject({ state: 'partial', images: 3, repositories_failed: 1 })
  expect(reasonsOf(row)).toMatchObject([{ repository: 'd/bad' }])
  artifactory.refuse = undefined
  expect(await inv.sync()).toMatchObject({ state: 'done', images: 6 })
  await expectEqualToSource(inv, artifactory)
})

test.each([
  ['the account may not search', 403, 'refuses to search'],
  ['the answer was cut', undefined, 'search hard limit'],
] as const)('catalogs and /v2 are read where %s', async (_name, status, reason) => {
  await start({ 'd/one': many(3), 'd/two': ['multi-1'] })
  if (status === undefined) artifactory.searchLimit = 2
  else artifactory.refuse = (kind) => (kind === 'aql' ? status : undefined)
  const row = await inv.sync()
  expect(row).toMatchObject({ state: 'done', images: 4 })
  expect(row.note).toContain(reason)
  await expectEqualToSource(inv, artifactory, { withFacts: false })
  artifactory.reset()
  expect(await inv.sync()).toMatchObject({ state: 'done', manifests_read: 0 })
  expect(artifactory.counts.head).toBe(4)
})

test('keys whose images are elsewhere are read by their catalog', async () => {
  await start({ 'd/one': many(3), 'hub/library/alpine': ['3'] })
  artifactory.remoteKeys.add('hub')
  expect(await inv.sync()).toMatchObject({ state: 'done', images: 4 })
  expect(artifactory.counts._catalog).toBe(1)
  await expectEqualToSource(inv, artifactory, { withFacts: false })
})
