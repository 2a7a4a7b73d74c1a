import { type Blob, blobOf, createRawRegistry, type RawRegistry } from '../raw-registry.ts'
import type { Server } from '../server.ts'

/*
 * Content as builders make it, with everything that the console has something to say of: history,
 * platforms, attestations of BuildKit, signatures by tag and by subject, an SBOM, a chart.
 */

const TYPES = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  helmConfig: 'application/vnd.cncf.helm.config.v1+json',
  helmChart: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const

const STEPS = [
  '/bin/sh -c #(nop) ADD file:9b2f7d1c in / ',
  'RUN /bin/sh -c apt-get update && apt-get install -y ca-certificates # buildkit',
  'COPY --chown=10001 /out/shop /usr/local/bin/shop # buildkit',
]

interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

const jsonBlob = (value: unknown): Blob => blobOf(new TextEncoder().encode(JSON.stringify(value)))

const describe = (mediaType: string, { digest, bytes }: Blob): Descriptor => ({
  mediaType,
  digest,
  size: bytes.length,
})

/** Bytes that are the same in every run, so that pictures of digests do not change. */
export const steadyBytes = (size: number, seed: string): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size)
  let state = Bun.hash.crc32(seed) || 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** Pushes into one repository. */
const createPusher = (registry: RawRegistry, name: string) => {
  const manifest = async (
    body: Record<string, unknown> & { mediaType: string },
    reference?: string,
  ): Promise<Descriptor> => {
    const blob = jsonBlob({ schemaVersion: 2, ...body })
    const image = { manifest: blob, mediaType: body.mediaType, blobs: [] }
    await registry.pushManifest(name, reference ?? blob.digest, image)
    return describe(body.mediaType, blob)
  }
  const blob = async (mediaType: string, content: Blob): Promise<Descriptor> => {
    await registry.pushBlob(name, content)
    return describe(mediaType, content)
  }
  return { manifest, blob }
}

export interface ImageAsked {
  architecture?: string
  sizes?: readonly number[]
  seed?: string
}

export const pushImage = async (
  registry: RawRegistry,
  name: string,
  tag: string | undefined,
  asked: ImageAsked = {},
): Promise<Descriptor> => {
  const { architecture = 'amd64', sizes = [3_100_000, 820_000, 410_000], seed = name } = asked
  const { manifest, blob } = createPusher(registry, name)
  const config = await blob(
    TYPES.config,
    jsonBlob({
      created: '2026-11-20T09:12:44Z',
      author: 'Shop team',
      architecture,
      os: 'linux',
      config: {
        User: '10001',
        ExposedPorts: { '8080/tcp': {} },
        Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'SHOP_MODE=production'],
        Entrypoint: ['/usr/local/bin/shop'],
        Cmd: ['serve'],
        WorkingDir: '/srv',
        Labels: { 'org.opencontainers.image.source': 'https://git.example/shop', team: seed },
      },
      rootfs: { type: 'layers', diff_ids: [] },
      history: [
        ...STEPS.slice(0, sizes.length).map((step) => ({ created_by: step })),
        { created_by: 'USER 10001', empty_layer: true },
      ],
    }),
  )
  const layers = []
  for (const [i, size] of sizes.entries()) {
    layers.push(
      await blob(TYPES.layer, blobOf(steadyBytes(size, `${seed} ${i && architecture} ${i}`))),
    )
  }
  return manifest({ mediaType: TYPES.manifest, config, layers }, tag)
}

/** An image for three platforms with attestations, a signature of each kind, and an SBOM. */
export const pushMultiArch = async (
  registry: RawRegistry,
  name: string,
  tag: string,
): Promise<Descriptor> => {
  const { manifest, blob } = createPusher(registry, name)
  const empty = await blob(TYPES.empty, jsonBlob({}))
  const parts: unknown[] = []
  for (const architecture of ['amd64', 'arm64', 's390x']) {
    const image = await pushImage(registry, name, undefined, { architecture, seed: tag })
    const statement = await blob(
      'application/vnd.in-toto+json',
      jsonBlob({ predicateType: 'https://slsa.dev/provenance/v1', subject: image.digest }),
    )
    const attestation = await manifest({
      mediaType: TYPES.manifest,
      config: empty,
      layers: [statement],
    })
    parts.push(
      { ...image, platform: { os: 'linux', architecture } },
      {
        ...attestation,
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': image.digest,
        },
      },
    )
  }
  const index = await manifest({ mediaType: TYPES.index, manifests: parts }, tag)
  const attach = async (artifactType: string, annotations: Record<string, string>) =>
    manifest({
      mediaType: TYPES.manifest,
      artifactType,
      config: empty,
      layers: [await blob('application/json', jsonBlob(annotations))],
      subject: index,
      annotations,
    })
  await attach('application/vnd.cncf.notary.signature', { 'io.cncf.notary.x509chain': '["4f1c"]' })
  await attach('application/spdx+json', { 'org.opencontainers.image.created': '2026-11-20' })
  await manifest(
    { mediaType: TYPES.manifest, config: empty, layers: [empty] },
    `${index.digest.replace(':', '-')}.sig`,
  )
  return index
}

/** A repository whose texts try to be more than texts. */
export const HOSTILE = '<img src=x onerror="document.title=\'taken\'"><script>alert(1)</script>'

export interface SampleNames {
  project: string
}

/** Everything at once, in one project, by the administrator. */
export const pushSamples = async (server: Server, { project }: SampleNames): Promise<void> => {
  const registry = createRawRegistry(server.url, server.admin)
  await pushMultiArch(registry, `${project}/shop/web`, '2.4.0')
  await pushMultiArch(registry, `${project}/shop/web`, 'latest')
  for (const tag of ['2.3.1', '2.3.0', '2.2.7']) {
    await pushImage(registry, `${project}/shop/web`, tag, { seed: tag })
  }
  await pushImage(registry, `${project}/shop/worker`, '1.9.2')
  await pushImage(registry, `${project}/tools`, 'build-7f3a2c1', { sizes: [90_000] })
  await pushChart(server, project)
}

/** By the way of ChartMuseum, which takes the archive as it is. */
const pushChart = async (server: Server, project: string): Promise<void> => {
  const { username, password } = server.admin
  for (const version of ['1.1.0', '1.2.0']) {
    const archive = await chartArchive(version)
    const form = new FormData()
    form.append('chart', new Blob([archive]), `storefront-${version}.tgz`)
    const answer = await fetch(`${server.url}/charts/api/${project}/charts`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${username}:${password}`)}` },
      body: form,
    })
    if (answer.status !== 201) throw new Error(`chart: ${answer.status} ${await answer.text()}`)
  }
}

const README = `# Storefront

The web shop with its workers. ${HOSTILE}

## Install

\`\`\`
helm install storefront oci://registry.example/shop/storefront
\`\`\`

| Value | Meaning | Default |
|---|---|---|
| \`replicas\` | How many pods serve | 2 |
| \`image.tag\` | Of the image | the chart's app version |

- reads *one* database
- keeps **no** state of its own, see [the handbook](https://handbook.example/shop)
- and [not this](javascript:alert(1))
`

/** A chart; `more` goes into its Chart.yaml. */
export const chartArchive = async (version: string, more: object = {}): Promise<ArrayBuffer> => {
  const files: Record<string, string> = {
    'storefront/Chart.yaml': JSON.stringify({
      apiVersion: 'v2',
      name: 'storefront',
      version,
      appVersion: '2.4.0',
      description: 'The web shop with its workers',
      ...more,
    }),
    'storefront/values.yaml':
      '# How many pods serve.\nreplicas: 2\nimage:\n  repository: shop/web\n  tag: ""\n',
    'storefront/README.md': README,
  }
  const archive = new Bun.Archive(files)
  return new Response(Bun.gzipSync(new Uint8Array(await archive.bytes()))).arrayBuffer()
}
