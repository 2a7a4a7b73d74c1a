import { expect, test } from 'bun:test'
import { loopbackFetch, remoteOf } from '../../client/test-remote.ts'
import { failureOf } from '../../lib/test-failure.ts'
import type { Connections } from '../connections.ts'
import type { RegistryRecord } from '../registries/record.ts'
import { createBrowse } from './browse.ts'

test('a registry that hangs is told as one that does not answer', async () => {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) =>
      new URL(url).pathname === '/v2/' ? new Response('{}') : new Promise<Response>(() => {}),
  })
  const registry = { id: 'x', version: 1, namespace: '' } as RegistryRecord
  const { registry: remote } = remoteOf(`http://127.0.0.1:${server.port}`, { fetch: loopbackFetch })
  const connections: Connections = { with: () => remote, to: async () => ({ registry, remote }) }
  const browse = createBrowse({ connections, clock: Date.now, timeLimit: 100 })
  const expected = { code: 'remote_unreachable', problem: 'timeout' }
  expect(await failureOf(browse.image(registry, 'a/b', 'v1'))).toMatchObject(expected)
  expect(await failureOf(browse.tags(registry, 'a/b', { limit: 10 }))).toMatchObject(expected)
  await server.stop(true)
})
