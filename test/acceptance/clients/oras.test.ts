import { expect, test } from 'bun:test'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeLayout } from '../oci-layout.ts'
import { type Client, clientTimeout, describeClient } from './client.ts'

const login = ({ run, user, server }: Client) =>
  run(['oras', 'login', '--plain-http', '-u', user.username, '--password-stdin', server.host], {
    input: user.password,
  })

/** A small SBOM in SPDX 2.3 of the image under test. */
const writeSbom = async (file: string, image: string) => {
  const sbom = {
    spdxVersion: 'SPDX-2.3',
    SPDXID: 'SPDXRef-DOCUMENT',
    dataLicense: 'CC0-1.0',
    name: image,
    documentNamespace: `https://example.org/sbom/${image}`,
    creationInfo: { created: '2026-01-01T00:00:00Z', creators: ['Tool: acceptance'] },
    packages: [
      {
        SPDXID: 'SPDXRef-busybox',
        name: 'busybox-static',
        versionInfo: '1.35.0',
        downloadLocation: 'NOASSERTION',
      },
    ],
  }
  await writeFile(file, JSON.stringify(sbom, null, 2))
}

describeClient('oras', ['oras'], (client) => {
  test(
    'pushes files as an artifact and pulls them back',
    async () => {
      const { run, folder, server, repository, registry } = client()
      await login(client())
      await writeSbom(join(folder, 'sbom.json'), 'pushed')
      const remote = `${server.host}/${repository}-files:v1`
      const pushed = await run([
        ...['oras', 'push', '--plain-http', '--format', 'json'],
        ...['--artifact-type', 'application/vnd.example.sbom.v1', remote],
        'sbom.json:application/spdx+json',
      ])
      const { digest } = JSON.parse(pushed) as { digest: string }
      expect(await registry.headManifest(`${repository}-files`, 'v1')).toBe(digest)
      await run(['oras', 'pull', '--plain-http', '-o', join(folder, 'pulled'), remote])
      expect(await readFile(join(folder, 'pulled/sbom.json'))).toEqual(
        await readFile(join(folder, 'sbom.json')),
      )
    },
    clientTimeout,
  )

  test(
    'attaches an SBOM to an index, discovers it, and copies the whole graph',
    async () => {
      const { run, folder, server, repository, registry } = client()
      await login(client())
      const layout = await writeLayout(join(folder, 'multi'), 'many', ['amd64', 'arm64'])
      const remote = `${server.host}/${repository}:many`
      await run([
        ...['oras', 'copy', '--from-oci-layout', `${layout.folder}:many`],
        ...['--to-plain-http', remote],
      ])
      expect(await registry.headManifest(repository, 'many')).toBe(layout.digest)

      await writeSbom(join(folder, 'attached.json'), 'attached')
      const attached = await run([
        ...['oras', 'attach', '--plain-http', '--format', 'json'],
        ...['--artifact-type', 'application/spdx+json', remote],
        'attached.json:application/spdx+json',
      ])
      const { digest } = JSON.parse(attached) as { digest: string }
      // A signature of the SBOM, two levels below the index.
      await writeFile(join(folder, 'signature.txt'), 'signed')
      await run([
        ...['oras', 'attach', '--plain-http', '--artifact-type', 'application/vnd.example.sig.v1'],
        ...[`${server.host}/${repository}@${digest}`, 'signature.txt:text/plain'],
      ])

      const discovered = async (image: string, type: string) => {
        const found = await run([
          ...['oras', 'discover', '--plain-http', '--format', 'json', '--artifact-type', type],
          image,
        ])
        const { referrers } = JSON.parse(found) as { referrers?: { digest: string }[] }
        return (referrers ?? []).map((referrer) => referrer.digest)
      }
      expect(await discovered(remote, 'application/spdx+json')).toEqual([digest])
      expect(await discovered(remote, 'application/vnd.example.other')).toEqual([])
      // With a referrers API no fallback tag is written (distribution-spec, "Referrers tag schema").
      const tags = await run([
        'oras',
        'repo',
        'tags',
        '--plain-http',
        `${server.host}/${repository}`,
      ])
      expect(tags.split('\n')).toEqual(['many'])

      const copy = `${server.host}/${repository}-copy:many`
      await run(['oras', 'copy', '-r', '--from-plain-http', '--to-plain-http', remote, copy])
      expect(await registry.headManifest(`${repository}-copy`, 'many')).toBe(layout.digest)
      expect(await discovered(copy, 'application/spdx+json')).toEqual([digest])
      const deeper = `${server.host}/${repository}-copy@${digest}`
      expect(await discovered(deeper, 'application/vnd.example.sig.v1')).toHaveLength(1)
      await run(['oras', 'pull', '--plain-http', '-o', join(folder, 'graph'), deeper])
      expect(await readFile(join(folder, 'graph/attached.json'))).toEqual(
        await readFile(join(folder, 'attached.json')),
      )
    },
    clientTimeout,
  )
})
