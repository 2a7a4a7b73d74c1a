import { expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeRootFs } from '../oci-layout.ts'
import { clientTimeout, describeClient } from './client.ts'

const buildah = (folder: string, store: string) => [
  'buildah',
  ...['--root', join(folder, store), '--runroot', join(folder, `${store}-run`)],
  ...['--storage-driver', 'vfs'],
]

describeClient('buildah', ['buildah'], (client) => {
  test(
    'builds an image from a root file system, pushes it and pulls it elsewhere',
    async () => {
      const { run, folder, user, server, repository, registry } = client()
      await run(
        [
          ...['buildah', 'login', '--tls-verify=false', '-u', user.username, '--password-stdin'],
          server.host,
        ],
        { input: user.password },
      )
      const rootFs = join(folder, 'rootfs')
      await writeRootFs(rootFs, crypto.randomUUID())
      const near = buildah(folder, 'near')
      const container = await run([...near, 'from', 'scratch'])
      await run([...near, 'copy', container, rootFs, '/'])
      await run([...near, 'config', '--cmd', '/bin/sh', container])
      const id = await run([...near, 'commit', '-q', container, 'acceptance'])
      const digestFile = join(folder, 'digest')
      await run([
        ...[...near, 'push', '--tls-verify=false', '--digestfile', digestFile],
        ...['acceptance', `docker://${server.host}/${repository}:built`],
      ])
      const pushed = (await readFile(digestFile, 'utf8')).trim()
      expect(await registry.headManifest(repository, 'built')).toBe(pushed)

      const pulled = await run([
        ...[...buildah(folder, 'far'), 'pull', '-q', '--tls-verify=false'],
        `docker://${server.host}/${repository}:built`,
      ])
      expect(pulled).toBe(id)
    },
    clientTimeout,
  )
})
