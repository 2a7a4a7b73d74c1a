import { steadyBytes } from '../acceptance/console/sample-content.ts'
import { type Blob, blobOf, type RawRegistry } from '../acceptance/raw-registry.ts'

/* Images as a team has them: a base that many share, a runtime, and a small layer that changes. */

const TYPES = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
  statement: 'application/vnd.in-toto+json',
} as const

const MiB = 1024 * 1024

/** What the images of one kind have in common. */
interface Stack {
  base: string
  /** Of the layers that all share, with their sizes in bytes. */
  shared: readonly (readonly [command: string, size: number])[]
  dependencies: string
  entrypoint: readonly string[]
  port: number
}

const DEBIAN = [
  "# debian.sh --arch 'amd64' out/ 'bookworm' '@1762819200'",
  Math.round(28.2 * MiB),
] as const

const STACKS = {
  node: {
    base: 'docker.io/library/node:24-slim',
    shared: [
      DEBIAN,
      [
        'RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates tini # buildkit',
        Math.round(3.4 * MiB),
      ],
      ['COPY /usr/local /usr/local # buildkit', Math.round(38.7 * MiB)],
    ],
    dependencies: 'RUN /bin/sh -c npm ci --omit=dev # buildkit',
    entrypoint: ['tini', '--', 'node', 'dist/main.js'],
    port: 8080,
  },
  go: {
    base: 'gcr.io/distroless/static:nonroot',
    shared: [['COPY /rootfs / # buildkit', Math.round(1.9 * MiB)]],
    dependencies: 'COPY /usr/share/zoneinfo /usr/share/zoneinfo # buildkit',
    entrypoint: ['/app/server'],
    port: 9090,
  },
  python: {
    base: 'docker.io/library/python:3.14-slim',
    shared: [DEBIAN, ['COPY /usr/local /usr/local # buildkit', Math.round(16.3 * MiB)]],
    dependencies: 'RUN /bin/sh -c pip install --no-cache-dir -r requirements.txt # buildkit',
    entrypoint: ['python', '-m', 'app'],
    port: 8000,
  },
} satisfies Record<string, Stack>

export interface ImageAsked {
  /** Project and path. */
  repository: string
  tag: string
  /** The how manieth of its repository: later ones are younger. */
  nth: number
  stack: keyof typeof STACKS
  /** Several: an index of them, with an attestation for each. */
  architectures?: readonly string[]
  /** Of dependencies and of the program itself. */
  sizes?: readonly [number, number]
  /** Names the state of the dependencies: images with the same share the layer. */
  lock?: string
}

interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

/** Of a day of autumn, the same in every run. */
const createdAt = (repository: string, nth: number): string => {
  const days = (Bun.hash.crc32(repository) % 20) + nth * 11
  return new Date(Date.UTC(2026, 8, 20 + days, 9, days, 44)).toISOString()
}

const jsonBlob = (value: unknown): Blob => blobOf(new TextEncoder().encode(JSON.stringify(value)))

const layers = new Map<string, Blob>()

/** Each is made once: it takes longer than to push it. */
const layerOf = (size: number, seed: string): Blob => {
  const known = layers.get(seed) ?? blobOf(steadyBytes(size, seed))
  layers.set(seed, known)
  return known
}

/** Pushes to one server, and no blob twice. */
export const createImagePusher = (registry: RawRegistry) => {
  /** Digest → the repository that has it. */
  const owners = new Map<string, string>()
  const pushed = new Set<string>()

  const blob = async (name: string, mediaType: string, content: Blob): Promise<Descriptor> => {
    const { digest, bytes } = content
    const key = `${name} ${digest}`
    const owner = owners.get(digest)
    const mount = async () => {
      const path = `/v2/${name}/blobs/uploads/?mount=${digest}&from=${owner}`
      return (await registry.request('POST', path)).status === 201
    }
    if (!pushed.has(key) && !(owner && (await mount()))) await registry.pushBlob(name, content)
    pushed.add(key)
    owners.set(digest, name)
    return { mediaType, digest, size: bytes.length }
  }

  const manifest = async (
    name: string,
    body: Record<string, unknown> & { mediaType: string },
    reference?: string,
  ): Promise<Descriptor> => {
    const content = jsonBlob({ schemaVersion: 2, ...body })
    const { mediaType } = body
    const image = { manifest: content, mediaType, blobs: [] }
    await registry.pushManifest(name, reference ?? content.digest, image)
    return { mediaType, digest: content.digest, size: content.bytes.length }
  }

  const single = async (asked: ImageAsked, architecture: string, reference?: string) => {
    const { repository: name, tag, sizes = [11.6 * MiB, 2.3 * MiB], lock = 'a' } = asked
    const stack: Stack = STACKS[asked.stack]
    const dependencies = Math.round(sizes[0])
    const program = Math.round(sizes[1] * (1 + asked.nth * 0.06))
    const steps: [string, Blob][] = [
      ...stack.shared.map(([command, size]): [string, Blob] => [
        command.replace('amd64', architecture),
        layerOf(size, `${architecture} ${command}`),
      ]),
      [stack.dependencies, layerOf(dependencies, `${architecture} ${name} ${lock}`)],
      ['COPY dist/ /app/dist/ # buildkit', layerOf(program, `${architecture} ${name} ${tag}`)],
    ]
    const config = await blob(
      name,
      TYPES.config,
      jsonBlob({
        created: createdAt(name, asked.nth),
        architecture,
        os: 'linux',
        config: {
          User: '10001',
          ExposedPorts: { [`${stack.port}/tcp`]: {} },
          Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'LOG_FORMAT=json'],
          Entrypoint: stack.entrypoint,
          WorkingDir: '/app',
          Labels: {
            'org.opencontainers.image.base.name': stack.base,
            'org.opencontainers.image.source': `https://git.example.com/${name}`,
            'org.opencontainers.image.version': tag,
          },
        },
        rootfs: { type: 'layers', diff_ids: steps.map(([, { digest }]) => digest) },
        history: [
          ...steps.map(([created_by]) => ({ created_by })),
          { created_by: 'USER 10001', empty_layer: true },
          { created_by: `EXPOSE [${stack.port}/tcp]`, empty_layer: true },
          { created_by: `ENTRYPOINT ${JSON.stringify(stack.entrypoint)}`, empty_layer: true },
        ],
      }),
    )
    const described: Descriptor[] = []
    for (const [, content] of steps) described.push(await blob(name, TYPES.layer, content))
    return manifest(name, { mediaType: TYPES.manifest, config, layers: described }, reference)
  }

  const index = async (asked: ImageAsked, architectures: readonly string[]) => {
    const { repository: name, tag } = asked
    const empty = await blob(name, TYPES.empty, jsonBlob({}))
    const parts: unknown[] = []
    for (const architecture of architectures) {
      const image = await single(asked, architecture)
      const predicateType = 'https://slsa.dev/provenance/v1'
      const statement = jsonBlob({ predicateType, subject: [{ digest: image.digest }] })
      const attestation = await manifest(name, {
        mediaType: TYPES.manifest,
        config: empty,
        layers: [await blob(name, TYPES.statement, statement)],
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
    return manifest(name, { mediaType: TYPES.index, manifests: parts }, tag)
  }

  return {
    image: async (asked: ImageAsked): Promise<Descriptor> => {
      const { architectures = ['amd64'] } = asked
      if (architectures.length > 1) return index(asked, architectures)
      return single(asked, architectures[0] ?? 'amd64', asked.tag)
    },

    /** A signature of cosign by its tag, one of notation and an SBOM by their subject. */
    sign: async (name: string, subject: Descriptor): Promise<void> => {
      const empty = await blob(name, TYPES.empty, jsonBlob({}))
      const attach = async (artifactType: string, content: Blob, mediaType: string) => {
        const layers = [await blob(name, mediaType, content)]
        const body = { mediaType: TYPES.manifest, artifactType, config: empty, layers, subject }
        await manifest(name, body)
      }
      const packages = Array.from({ length: 140 }, (_, i) => ({ name: `package-${i}` }))
      const sbom = jsonBlob({ spdxVersion: 'SPDX-2.3', packages })
      await attach('application/spdx+json', sbom, 'application/spdx+json')
      const signed = jsonBlob({ payload: subject.digest })
      await attach('application/vnd.cncf.notary.signature', signed, 'application/jose+json')
      const simple = 'application/vnd.dev.cosign.simplesigning.v1+json'
      const layers = [await blob(name, simple, jsonBlob({ critical: subject.digest }))]
      const body = { mediaType: TYPES.manifest, config: empty, layers }
      await manifest(name, body, `${subject.digest.replace(':', '-')}.sig`)
    },
  }
}

export type ImagePusher = ReturnType<typeof createImagePusher>
