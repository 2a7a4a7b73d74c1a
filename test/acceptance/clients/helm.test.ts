import { expect, test } from 'bun:test'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../raw-registry.ts'
import { clientTimeout, describeClient } from './client.ts'

/** Helm 3 and 4 speak alike here; `helm4` is how install-tools names the second. */
for (const helm of ['helm', 'helm4']) {
  describeClient(helm, [helm], (client) => {
    test(
      'pushes a chart over OCI and pulls it back, a version with a plus sign too',
      async () => {
        const { run, folder, user, server, repository, registry } = client()
        const loginFlags = ['--plain-http', '-u', user.username, '--password-stdin']
        await run([helm, 'registry', 'login', server.host, ...loginFlags], { input: user.password })
        await run([helm, 'create', 'harbour'])
        await mkdir(join(folder, 'pulled'))
        const target = `oci://${server.host}/${repository}`
        for (const version of ['1.2.3', '1.2.4+build.7', '2.0.0-rc.1']) {
          await run([helm, 'package', 'harbour', '--version', version])
          const file = join(folder, `harbour-${version}.tgz`)
          await run([helm, 'push', file, target, '--plain-http'])
          // A plus sign cannot stand in a tag; helm writes an underscore.
          const tag = version.replace('+', '_')
          expect(await registry.headManifest(`${repository}/harbour`, tag)).toStartWith('sha256:')

          await run([
            ...[helm, 'pull', `${target}/harbour`, '--version', version],
            ...['--plain-http', '--destination', join(folder, 'pulled')],
          ])
          const pulled = await readFile(join(folder, `pulled/harbour-${version}.tgz`))
          expect(sha256(pulled)).toBe(sha256(await readFile(file)))
        }
        const shown = await run([helm, 'show', 'chart', `${target}/harbour`, '--plain-http'])
        // No version asked: helm lists the tags and takes the highest that is no pre-release.
        expect(shown).toContain('version: 1.2.4+build.7')
        const rendered = await run([
          ...[helm, 'template', 'release', `${target}/harbour`, '--version', '1.2.3'],
          '--plain-http',
        ])
        expect(rendered).toContain('kind: Deployment')
        await run([helm, 'registry', 'logout', server.host])
      },
      clientTimeout,
    )
  })
}
