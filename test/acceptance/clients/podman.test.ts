import { expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeLayout } from '../oci-layout.ts'
import { clientTimeout, describeClient } from './client.ts'

/** An image store of its own per name, so that a pull cannot find what a push left behind. */
const podman = (folder: string, store: string) => [
  'podman',
  ...['--root', join(folder, store), '--runroot', join(folder, `${store}-run`)],
  // vfs needs neither overlayfs nor a mount; the file backend needs no journald.
  ...['--storage-driver', 'vfs', '--events-backend', 'file', '--cgroup-manager', 'cgroupfs'],
]

describeClient('podman', ['podman'], (client) => {
  test(
    'logs in, pushes and pulls an image with the same digest and id',
    async () => {
      const { run, folder, user, server, repository, registry } = client()
      const near = podman(folder, 'near')
      const far = podman(folder, 'far')
      const remote = `${server.host}/${repository}:1.0`
      await run(
        [
          ...['podman', 'login', '--tls-verify=false', '-u', user.username, '--password-stdin'],
          server.host,
        ],
        { input: user.password },
      )
      const layout = await writeLayout(join(folder, 'layout'), 'latest')
      const id = await run([...near, 'pull', '-q', `oci:${layout.folder}:latest`])
      const digestFile = join(folder, 'digest')
      await run([
        ...[...near, 'push', '--tls-verify=false', '--digestfile', digestFile],
        ...[id, remote],
      ])
      const pushed = (await readFile(digestFile, 'utf8')).trim()
      expect(await registry.headManifest(repository, '1.0')).toBe(pushed)

      const pulled = await run([...far, 'pull', '-q', '--tls-verify=false', remote])
      expect(pulled).toBe(id)
      const digest = await run([...far, 'image', 'inspect', '--format', '{{.Digest}}', remote])
      expect(digest).toBe(pushed)
      // The layer was unpacked: a file of the root file system is there, unchanged.
      const mount = await run([...far, 'image', 'mount', remote])
      expect(await readFile(join(mount, 'bin/busybox'))).toEqual(await readFile('/bin/busybox'))
      await run([...far, 'image', 'unmount', remote])
    },
    clientTimeout,
  )

  test(
    'pushes a manifest list and pulls it back by digest',
    async () => {
      const { run, folder, user, server, repository, registry } = client()
      const store = podman(folder, 'list')
      await run(
        [
          ...['podman', 'login', '--tls-verify=false', '-u', user.username, '--password-stdin'],
          server.host,
        ],
        { input: user.password },
      )
      const layout = await writeLayout(join(folder, 'list-layout'), 'many', ['amd64', 'arm64'])
      await run([...store, 'manifest', 'create', 'many'])
      await run([...store, 'manifest', 'add', '--all', 'many', `oci:${layout.folder}:many`])
      const digestFile = join(folder, 'list-digest')
      await run([
        ...[...store, 'manifest', 'push', '--all', '--tls-verify=false'],
        ...['--digestfile', digestFile, 'many', `docker://${server.host}/${repository}:many`],
      ])
      const pushed = (await readFile(digestFile, 'utf8')).trim()
      expect(await registry.headManifest(repository, 'many')).toBe(pushed)
      const id = await run([
        ...[...podman(folder, 'list-far'), 'pull', '-q', '--tls-verify=false'],
        `${server.host}/${repository}@${pushed}`,
      ])
      expect(id).toMatch(/^[0-9a-f]{64}$/)
    },
    clientTimeout,
  )
})
