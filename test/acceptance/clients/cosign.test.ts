import { expect, test } from 'bun:test'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Image, imageOf } from '../raw-registry.ts'
import { type Client, clientTimeout, describeClient } from './client.ts'

const env = { COSIGN_PASSWORD: 'acceptance' }
// A local key pair and no transparency log: nothing of this leaves the machine.
const signFlags = [
  ...['--key', 'cosign.key', '--allow-http-registry', '-y'],
  ...['--use-signing-config=false', '--tlog-upload=false'],
]
const verifyFlags = ['--key', 'cosign.pub', '--allow-http-registry', '--insecure-ignore-tlog']

const prepare = async ({ run, user, server, registry }: Client, repository: string) => {
  await run(['cosign', 'login', server.host, '-u', user.username, '--password-stdin'], {
    input: user.password,
  })
  await run(['rm', '-f', 'cosign.key', 'cosign.pub'])
  await run(['cosign', 'generate-key-pair'], { env })
  const busybox = new Uint8Array(await readFile('/bin/busybox'))
  const image = imageOf([Bun.gzipSync(busybox)], crypto.randomUUID())
  for (const blob of image.blobs) await registry.pushBlob(repository, blob)
  await registry.pushManifest(repository, 'signed', image)
  return image
}

const tagsOf = async ({ registry }: Client, repository: string): Promise<string[]> => {
  const answer = await registry.request('GET', `/v2/${repository}/tags/list`)
  const { tags } = (await answer.json()) as { tags: string[] }
  return tags
}

const referrersOf = async ({ registry }: Client, repository: string, image: Image) => {
  const answer = await registry.request(
    'GET',
    `/v2/${repository}/referrers/${image.manifest.digest}`,
  )
  const index = (await answer.json()) as { manifests: { artifactType?: string }[] }
  return index.manifests.map((manifest) => manifest.artifactType)
}

describeClient('cosign', ['cosign'], (client) => {
  test(
    'signs and verifies with a tag beside the image',
    async () => {
      const { run, server, repository } = client()
      const image = await prepare(client(), repository)
      const reference = `${server.host}/${repository}@${image.manifest.digest}`
      const legacy = '--new-bundle-format=false'
      await expect(
        run(['cosign', 'verify', ...verifyFlags, legacy, reference], { env }),
      ).rejects.toThrow()
      await run(['cosign', 'sign', ...signFlags, legacy, reference], { env })
      expect(await tagsOf(client(), repository)).toEqual([
        `${image.manifest.digest.replace(':', '-')}.sig`,
        'signed',
      ])
      const verified = await run(['cosign', 'verify', ...verifyFlags, legacy, reference], { env })
      expect(verified).toContain(image.manifest.digest)
      // A second signature rewrites the same tag (read, append, write).
      await run(['cosign', 'sign', ...signFlags, legacy, '-a', 'round=two', reference], { env })
      const second = [...verifyFlags, legacy, '-a', 'round=two', reference]
      expect(await run(['cosign', 'verify', ...second], { env })).toContain('two')
    },
    clientTimeout,
  )

  test(
    'signs, attests an SBOM and verifies through referrers',
    async () => {
      const { run, folder, server, repository: base } = client()
      const repository = `${base}-referrers`
      const image = await prepare(client(), repository)
      const reference = `${server.host}/${repository}@${image.manifest.digest}`
      await expect(run(['cosign', 'verify', ...verifyFlags, reference], { env })).rejects.toThrow()
      await run(['cosign', 'sign', ...signFlags, reference], { env })
      expect(await run(['cosign', 'verify', ...verifyFlags, reference], { env })).toContain(
        image.manifest.digest,
      )
      const sbom = { spdxVersion: 'SPDX-2.3', SPDXID: 'SPDXRef-DOCUMENT', name: 'acceptance' }
      await writeFile(join(folder, 'sbom.json'), JSON.stringify(sbom))
      const predicate = ['--type', 'spdxjson', '--predicate', 'sbom.json']
      await run(['cosign', 'attest', ...signFlags, ...predicate, reference], { env })
      const attested = [...verifyFlags, '--type', 'spdxjson', reference]
      await run(['cosign', 'verify-attestation', ...attested], { env })

      const found = await referrersOf(client(), repository, image)
      expect(found).toHaveLength(2)
      // A registry with a referrers API gets no fallback tag.
      expect(await tagsOf(client(), repository)).toEqual(['signed'])
    },
    clientTimeout,
  )
})
