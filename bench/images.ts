import { type Connection, type Endpoint, requestHead } from './http.ts'
import type { Payload } from './payloads.ts'
import { headerOf } from './reply-parser.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** One connection to a server, authorised for one repository. */
export type RepositoryClient = {
  connection: Connection
  endpoint: Endpoint
  repository: string
  /** Header lines with the credentials, empty for an open server. */
  authorization: readonly string[]
}

/** What a puller knows of an image. */
export type Image = {
  repository: string
  tag: string
  layer: Payload
  config: Blob
  manifest: Blob
}
export type Blob = { digest: string; bytes: Buffer }

/**
 * Pushes an image of one layer and a config, as zb does: per blob POST and PUT (or POST, a PATCH
 * with a chunked body and a closing PUT), then the manifest.
 */
export async function pushImage(
  client: RepositoryClient,
  tag: string,
  layer: Payload,
  streamed: boolean,
): Promise<Image> {
  const config = blobOf(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers' },
      id: layer.digest,
    }),
  )
  await pushBlob(client, layer, streamed)
  await pushBlob(client, bodiesOf(config), streamed)
  const manifest = manifestOf(config, layer)
  await pushManifest(client, tag, manifest)
  return { repository: client.repository, tag, layer, config, manifest }
}

export type Uploadable = Pick<Payload, 'size' | 'digest' | 'plain' | 'chunked'>

export async function pushBlob(
  client: RepositoryClient,
  blob: Uploadable,
  streamed: boolean,
): Promise<void> {
  const { connection } = client
  const started = await connection.exchange({
    pieces: [
      head(client, 'POST', `/v2/${client.repository}/blobs/uploads/`, ['Content-Length: 0']),
    ],
    status: 202,
  })
  let location = locationOf(started.head)
  if (streamed) {
    const lines = ['Content-Type: application/octet-stream', 'Transfer-Encoding: chunked']
    const patched = await connection.exchange({
      pieces: [head(client, 'PATCH', location, lines), ...blob.chunked],
      status: 202,
    })
    location = locationOf(patched.head)
  }
  const size = streamed ? 0 : blob.size
  const target = `${location}${location.includes('?') ? '&' : '?'}digest=${blob.digest}`
  const lines = ['Content-Type: application/octet-stream', `Content-Length: ${size}`]
  await connection.exchange({
    pieces: [head(client, 'PUT', target, lines), ...(streamed ? [] : blob.plain)],
    status: 201,
  })
}

/**
 * Uploads a blob with one PATCH and a closing PUT, as docker does; gives the milliseconds from its
 * last byte until it is there.
 */
export async function commitTime(client: RepositoryClient, blob: Payload): Promise<number> {
  const { connection } = client
  const started = await connection.exchange({
    pieces: [
      head(client, 'POST', `/v2/${client.repository}/blobs/uploads/`, ['Content-Length: 0']),
    ],
    status: 202,
  })
  let lastByte = 0
  const lines = ['Content-Type: application/octet-stream', `Content-Length: ${blob.size}`]
  const patched = await connection.exchange({
    pieces: [head(client, 'PATCH', locationOf(started.head), lines), ...blob.plain],
    status: 202,
    onSent() {
      lastByte = performance.now()
    },
  })
  const location = locationOf(patched.head)
  const target = `${location}${location.includes('?') ? '&' : '?'}digest=${blob.digest}`
  await connection.exchange({
    pieces: [head(client, 'PUT', target, ['Content-Length: 0'])],
    status: 201,
  })
  return performance.now() - lastByte
}

export async function pushManifest(
  client: RepositoryClient,
  tag: string,
  manifest: Blob,
): Promise<void> {
  const lines = [`Content-Type: ${manifestType}`, `Content-Length: ${manifest.bytes.length}`]
  const path = `/v2/${client.repository}/manifests/${tag}`
  await client.connection.exchange({
    pieces: [Buffer.concat([head(client, 'PUT', path, lines), manifest.bytes])],
    status: 201,
  })
}

/** The six requests of zb's pull, their bytes made beforehand. */
export function preparePull(client: RepositoryClient, image: Image): () => Promise<void> {
  const base = `/v2/${client.repository}`
  const steps = [
    { path: `${base}/manifests/${image.tag}`, size: image.manifest.bytes.length },
    { path: `${base}/blobs/${image.config.digest}`, size: image.config.bytes.length },
    { path: `${base}/blobs/${image.layer.digest}`, size: image.layer.size },
  ].flatMap(({ path, size }) => [
    { pieces: [head(client, 'HEAD', path, acceptLines)], status: 200, bodyless: true, size: 0 },
    { pieces: [head(client, 'GET', path, acceptLines)], status: 200, bodyless: false, size },
  ])
  return async () => {
    for (const { size, ...request } of steps) {
      const reply = await client.connection.exchange(request)
      if (reply.length !== size) throw new Error(`${reply.length} bytes instead of ${size}`)
    }
  }
}

/** Pulls once with the bytes and compares them with their digests. */
export async function verifyImage(client: RepositoryClient, image: Image): Promise<void> {
  const base = `/v2/${client.repository}`
  for (const [path, digest] of [
    [`${base}/manifests/${image.tag}`, image.manifest.digest],
    [`${base}/blobs/${image.config.digest}`, image.config.digest],
    [`${base}/blobs/${image.layer.digest}`, image.layer.digest],
  ] as const) {
    const pieces = [head(client, 'GET', path, acceptLines)]
    const reply = await client.connection.exchange({ pieces, status: 200, keep: true })
    const got = digestOf(reply.body)
    if (got !== digest) throw new Error(`${path} came back as ${got}`)
  }
}

export function manifestOf(config: Blob, layer: Uploadable, note?: string): Blob {
  return blobOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: config.digest,
        size: config.bytes.length,
      },
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.v1.tar',
          digest: layer.digest,
          size: layer.size,
        },
      ],
      ...(note === undefined ? {} : { annotations: { note } }),
    }),
  )
}

export function blobOf(text: string): Blob {
  const bytes = Buffer.from(text)
  return { digest: digestOf(bytes), bytes }
}

/** A small blob in the form that {@link pushBlob} takes. */
export function bodiesOf({ digest, bytes }: Blob): Uploadable {
  const size = bytes.length
  const chunked = [Buffer.from(`${size.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')]
  return { size, digest, plain: [bytes], chunked: [Buffer.concat(chunked)] }
}

export const acceptLines = [`Accept: ${manifestType}`]

export function head(
  client: RepositoryClient,
  method: string,
  path: string,
  lines: readonly string[],
): Buffer {
  return requestHead(client.endpoint, method, path, [...client.authorization, ...lines])
}

function digestOf(bytes: Buffer): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`
}

/** Path and query of the Location header; distribution answers with an absolute URL. */
function locationOf(answer: string): string {
  const location = headerOf(answer, 'location')
  if (location === null) throw new Error(`an upload without a Location: ${answer}`)
  return location.replace(/^https?:\/\/[^/]+/, '')
}
