import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { layoutDigests, writeLayout } from '../oci-layout.ts'
import { type Client, clientTimeout, describeClient } from './client.ts'

const login = ({ run, user, server }: Client) =>
  run(
    ['skopeo', 'login', '--tls-verify=false', '-u', user.username, '--password-stdin', server.host],
    { input: user.password },
  )

describeClient('skopeo', ['skopeo'], (client) => {
  test(
    'copies a single image in and out byte for byte',
    async () => {
      const { run, folder, server, repository, registry } = client()
      await login(client())
      const layout = await writeLayout(join(folder, 'single'), 'one')
      const remote = `docker://${server.host}/${repository}:one`
      await run([
        ...['skopeo', 'copy', '--preserve-digests', '--dest-tls-verify=false'],
        ...[`oci:${layout.folder}:one`, remote],
      ])
      expect(await registry.headManifest(repository, 'one')).toBe(layout.digest)

      const out = join(folder, 'single-out')
      await run(['skopeo', 'copy', '--src-tls-verify=false', remote, `oci:${out}:one`])
      expect(await layoutDigests(out)).toEqual(await layoutDigests(layout.folder))

      const inspected = await run([
        ...['skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', remote],
      ])
      expect(inspected).toBe(layout.digest)
    },
    clientTimeout,
  )

  test(
    'copies all architectures of an index in and out byte for byte',
    async () => {
      const { run, folder, server, repository, registry } = client()
      await login(client())
      const architectures = ['amd64', 'arm64', 's390x']
      const layout = await writeLayout(join(folder, 'multi'), 'many', architectures)
      const remote = `docker://${server.host}/${repository}:many`
      await run([
        ...['skopeo', 'copy', '--all', '--preserve-digests', '--dest-tls-verify=false'],
        ...[`oci:${layout.folder}:many`, remote],
      ])
      expect(await registry.headManifest(repository, 'many')).toBe(layout.digest)

      const out = join(folder, 'multi-out')
      await run(['skopeo', 'copy', '--all', '--src-tls-verify=false', remote, `oci:${out}:many`])
      expect(await layoutDigests(out)).toEqual(await layoutDigests(layout.folder))
    },
    clientTimeout,
  )

  test(
    'copies to a second repository by mounting, as Docker schema 2 too, lists tags and deletes',
    async () => {
      const { run, folder, server, repository, registry } = client()
      await login(client())
      const layout = await writeLayout(join(folder, 'third'), 'third')
      const remote = `docker://${server.host}/${repository}`
      const other = `${repository}-copy`
      await run([
        ...['skopeo', 'copy', '--dest-tls-verify=false', `oci:${layout.folder}:third`],
        `${remote}:third`,
      ])
      await run([
        ...['skopeo', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[`${remote}:third`, `docker://${server.host}/${other}:third`],
      ])
      expect(await registry.headManifest(other, 'third')).toBe(layout.digest)

      await run([
        ...['skopeo', 'copy', '--format', 'v2s2', '--dest-tls-verify=false'],
        ...[`oci:${layout.folder}:third`, `docker://${server.host}/${other}:docker`],
      ])
      const stored = await registry.readManifest(other, 'docker')
      expect(JSON.parse(new TextDecoder().decode(stored))).toMatchObject({
        mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      })

      const listed = await run([
        ...['skopeo', 'list-tags', '--tls-verify=false', `docker://${server.host}/${other}`],
      ])
      expect(JSON.parse(listed)).toMatchObject({ Tags: ['docker', 'third'] })

      await run([
        ...['skopeo', 'delete', '--tls-verify=false', `docker://${server.host}/${other}:third`],
      ])
      expect(await registry.headManifest(other, 'third')).toBeUndefined()
      expect(await registry.headManifest(other, 'docker')).toBeDefined()
    },
    clientTimeout,
  )
})
