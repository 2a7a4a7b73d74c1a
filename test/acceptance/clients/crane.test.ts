import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { createUser } from '../admin-api.ts'
import { layoutDigests, writeLayout } from '../oci-layout.ts'
import { startServer } from '../server.ts'
import { type Client, clientTimeout, describeClient } from './client.ts'

const login = ({ run, user, server }: Client) =>
  run(['crane', 'auth', 'login', server.host, '-u', user.username, '--password-stdin'], {
    input: user.password,
  })

describeClient('crane', ['crane'], (client) => {
  test(
    'pushes, digests, pulls and copies an image',
    async () => {
      const { run, folder, server, repository } = client()
      await login(client())
      const layout = await writeLayout(join(folder, 'single'), 'one')
      const remote = `${server.host}/${repository}`
      const pushed = await run(['crane', 'push', layout.folder, `${remote}:one`])
      expect(pushed).toBe(`${remote}@${layout.digest}`)
      expect(await run(['crane', 'digest', `${remote}:one`])).toBe(layout.digest)

      // Into another repository of the same registry: crane mounts, with `from` and `origin`.
      await run(['crane', 'copy', `${remote}:one`, `${remote}-copy:one`])
      expect(await run(['crane', 'digest', `${remote}-copy:one`])).toBe(layout.digest)

      const out = join(folder, 'single-out')
      await run(['crane', 'pull', '--format=oci', `${remote}-copy:one`, out])
      expect(await layoutDigests(out)).toEqual(await layoutDigests(layout.folder))
      expect(await run(['crane', 'validate', '--remote', `${remote}:one`])).toStartWith('PASS')
    },
    clientTimeout,
  )

  test(
    'copies a whole index and pulls it byte for byte',
    async () => {
      const { run, folder, server, repository } = client()
      await login(client())
      const layout = await writeLayout(join(folder, 'multi'), 'many', ['amd64', 'arm64'])
      const remote = `${server.host}/${repository}-multi`
      // crane push --index sends the layout's index.json itself, so the index that it names comes
      // in by digest; the copy below then gives it a tag.
      await run(['crane', 'push', '--index', layout.folder, `${remote}:outer`])
      await run(['crane', 'copy', `${remote}@${layout.digest}`, `${remote}-copy:many`])
      expect(await run(['crane', 'digest', `${remote}-copy:many`])).toBe(layout.digest)
      const out = join(folder, 'multi-out')
      await run(['crane', 'pull', '--format=oci', `${remote}-copy:many`, out])
      expect(await layoutDigests(out)).toEqual(await layoutDigests(layout.folder))
    },
    clientTimeout,
  )

  test(
    'appends a layer, lists tags and repositories, and deletes',
    async () => {
      const { run, folder, server, repository, registry } = client()
      await login(client())
      const layout = await writeLayout(join(folder, 'base'), 'base')
      const remote = `${server.host}/${repository}-append`
      await run(['crane', 'push', layout.folder, `${remote}:base`])
      await run([
        ...['crane', 'append', '-b', `${remote}:base`, '-f', layout.layerGz],
        ...['-t', `${remote}:appended`],
      ])
      const manifest = JSON.parse(await run(['crane', 'manifest', `${remote}:appended`]))
      expect(manifest.layers).toHaveLength(2)
      await run(['crane', 'tag', `${remote}:base`, 'again'])
      const tags = (await run(['crane', 'ls', remote])).split('\n')
      expect(tags).toEqual(['again', 'appended', 'base'])
      const repositories = (await run(['crane', 'catalog', server.host])).split('\n')
      expect(repositories).toContain(`${repository}-append`)

      const appended = await run(['crane', 'digest', `${remote}:appended`])
      await run(['crane', 'delete', `${remote}@${appended}`])
      expect(await registry.headManifest(`${repository}-append`, 'appended')).toBeUndefined()
      expect((await run(['crane', 'ls', remote])).split('\n')).toEqual(['again', 'base'])
      // By tag: the tag goes, the other tag on the same manifest stays (distribution-spec,
      // "Deleting tags").
      await run(['crane', 'delete', `${remote}:again`])
      expect((await run(['crane', 'ls', remote])).split('\n')).toEqual(['base'])
      expect(await registry.headManifest(`${repository}-append`, 'base')).toBe(layout.digest)
    },
    clientTimeout,
  )

  test(
    'pushes over HTTPS with a certificate that it was told to trust',
    async () => {
      const { run, folder } = client()
      const server = await startServer({ tls: true })
      try {
        const user = await createUser(server, 'tls-user')
        const env = { SSL_CERT_FILE: join(server.dataDir, 'tls/self-signed.crt') }
        const login = ['crane', 'auth', 'login', server.host, '-u', user.username]
        await run([...login, '--password-stdin'], { input: user.password, env })
        const layout = await writeLayout(join(folder, 'tls'), 'one')
        const remote = `${server.host}/tls-project/app:one`
        await run(['crane', 'push', layout.folder, remote], { env })
        expect(await run(['crane', 'digest', remote], { env })).toBe(layout.digest)
        await expect(run(['crane', 'digest', remote])).rejects.toThrow('certificate')
      } finally {
        await server.dispose()
      }
    },
    clientTimeout,
  )
})
