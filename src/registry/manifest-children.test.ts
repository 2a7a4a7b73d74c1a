import { afterAll, beforeAll, expect, test } from 'bun:test'
import { codeOf } from '../accounts/test-accounts.ts'
import { onEachEngine } from '../store/db/test-databases.ts'
import {
  createTestRegistry,
  descriptorOf,
  imageOf,
  indexOf,
  nameOf,
  noise,
  pushBlob,
  pushImage,
  pushManifest,
  refTo,
  type TestRegistry,
} from './test-registry.ts'

const CONFIG = noise(100, 7)
const LAYER = noise(5_000, 8)
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar'

onEachEngine('children of a manifest', (create) => {
  let registry: TestRegistry

  beforeAll(async () => {
    registry = await createTestRegistry(create)
  })
  afterAll(() => registry.remove())

  test('are refused when the manifest lies about their size', async () => {
    const { first } = registry
    for (const bytes of [CONFIG, LAYER]) await pushBlob(first, 'sizes/a', bytes)
    const lying = { ...descriptorOf(LAYER, LAYER_TYPE), size: LAYER.length - 1 }
    const image = imageOf([CONFIG], { layers: [lying] })
    expect(await codeOf(pushManifest(first, 'sizes/a', image, { tag: 'v1' }))).toBe(
      'manifest_invalid',
    )
    await pushManifest(first, 'sizes/a', imageOf([CONFIG, LAYER]), { tag: 'v1' })
  })

  test('cannot be deleted while an index that holds them has an immutable tag', async () => {
    const { first } = registry
    const name = nameOf('parts/a')
    const part = await pushImage(first, 'parts/a', [CONFIG, LAYER])
    const inner = indexOf([refTo(part)])
    await pushManifest(first, 'parts/a', inner)
    await pushManifest(first, 'parts/a', indexOf([refTo(inner)]), { tag: 'v1' })
    await first.tags.protect(name, 'v1', true)
    expect(await codeOf(first.manifests.remove(name, part.digest, null))).toBe('immutable')
    await first.tags.protect(name, 'v1', false)
    await first.manifests.remove(name, part.digest, null)
  })

  test('are all named when they are missing', async () => {
    const { first } = registry
    await pushBlob(first, 'missing/a', CONFIG)
    const push = pushManifest(first, 'missing/a', imageOf([CONFIG, LAYER, noise(9, 9)]), {})
    const error = await push.then(
      () => undefined,
      (failure: unknown) => failure,
    )
    expect(error).toMatchObject({ code: 'manifest_blob_unknown' })
    expect((error as { details: { problems: unknown[] } }).details.problems.length).toBe(2)
  })
})
