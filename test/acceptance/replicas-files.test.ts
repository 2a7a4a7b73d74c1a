import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { createUser } from './admin-api.ts'
import { startPostgres } from './engines.ts'
import { createRawRegistry, imageOf, randomBytes } from './raw-registry.ts'
import { type Server, startProcess } from './server.ts'

/*
 * Two servers on one PostgreSQL with a folder of blobs each would show images that only one of them
 * can deliver: the second one does not start, not even before the first push.
 */

setDefaultTimeout(120_000)

let first: Server | undefined
afterAll(async () => {
  await first?.dispose()
})

test('a replica with files of its own is refused, and the one that has them starts again', async () => {
  const { url } = await (await startPostgres()).createDatabase()
  const env = {
    ENTREPOT_DATABASE_URL: url,
    ENTREPOT_SEALING_KEY: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString(
      'base64',
    ),
    ENTREPOT_WORKERS: '1',
  }
  first = await startProcess({ env })
  await expect(startProcess({ env })).rejects.toThrow('as files they can be served only from where')

  const user = await createUser(first, 'ada')
  const layer = randomBytes(20_000)
  const image = imageOf([layer], 'files')
  const registry = createRawRegistry(first.url, user)
  for (const blob of image.blobs) await registry.pushBlob('shop/app', blob)
  await registry.pushManifest('shop/app', 'v1', image)
  await first.killAll()
  await expect(startProcess({ env })).rejects.toThrow('none of the latest')
  first = await startProcess({ env, after: first })
  const digest = image.blobs[1]?.digest ?? ''
  expect(await createRawRegistry(first.url, user).readBlob('shop/app', digest)).toEqual(layer)
})
