import { basic } from './admin-api.ts'
import type { Credentials } from './server.ts'

/** `sha256:<hex>` of the bytes. */
export const sha256 = (bytes: Uint8Array): string =>
  `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`

export type Blob = { readonly digest: string; readonly bytes: Uint8Array<ArrayBuffer> }

export const blobOf = (bytes: Uint8Array<ArrayBuffer>): Blob => ({ digest: sha256(bytes), bytes })

/** Bytes that no compression and no earlier test has seen. */
export const randomBytes = (size: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536))
  return bytes
}

export type Image = {
  readonly manifest: Blob
  readonly mediaType: string
  readonly blobs: readonly Blob[]
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** What clients name when they ask for a manifest; distribution 2.8 answers 404 to a bare star. */
const acceptManifests = [
  manifestType,
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  '*/*',
].join(', ')

/** An image manifest over a config and layers of the given contents. */
export const imageOf = (layers: readonly Uint8Array<ArrayBuffer>[], note: string): Image => {
  const encode = (value: unknown) => blobOf(new TextEncoder().encode(JSON.stringify(value)))
  const config = encode({
    architecture: 'amd64',
    os: 'linux',
    author: note,
    rootfs: { type: 'layers', diff_ids: [] },
  })
  const blobs = layers.map(blobOf)
  const descriptor = (mediaType: string, { digest, bytes }: Blob) => ({
    mediaType,
    digest,
    size: bytes.length,
  })
  const manifest = encode({
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: blobs.map((blob) => descriptor('application/vnd.oci.image.layer.v1.tar', blob)),
  })
  return { manifest, mediaType: manifestType, blobs: [config, ...blobs] }
}

/** A request that was answered with something other than what its caller needs. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  constructor(status: number, what: string, body: string) {
    super(`${what} answered ${status}: ${body.slice(0, 500)}`)
    this.status = status
  }
}

export type RawRegistry = ReturnType<typeof createRawRegistry>

/**
 * The registry protocol by plain fetch, with Basic on every request, so that what a test sees is
 * what the server said and no client's retry.
 */
export const createRawRegistry = (url: string, user?: Credentials) => {
  const auth: Record<string, string> = user ? { authorization: basic(user) } : {}

  const request = async (
    method: string,
    path: string,
    init: {
      headers?: Record<string, string>
      body?: Uint8Array<ArrayBuffer> | ReadableStream
    } = {},
  ): Promise<Response> =>
    fetch(new URL(path, url), {
      method,
      headers: { ...auth, ...init.headers },
      // On a connection that was used before, fetch sends a request again when the other side dies
      // without an answer, and the second may meet what the first one did.
      keepalive: false,
      ...(init.body === undefined ? {} : { body: init.body }),
    })

  const expectStatus = async (status: number, what: string, answer: Response) => {
    if (answer.status !== status) throw new Refused(answer.status, what, await answer.text())
    return answer
  }

  /** POST, PATCH, PUT: the way of Docker; or POST and one PUT: the way of containerd. */
  const pushBlob = async (name: string, blob: Blob, way: 'patch' | 'put' = 'put') => {
    const post = await expectStatus(
      202,
      `POST uploads of ${name}`,
      await request('POST', `/v2/${name}/blobs/uploads/`),
    )
    await post.arrayBuffer()
    let location = new URL(post.headers.get('location') ?? '', url)
    const headers = { 'content-type': 'application/octet-stream' }
    if (way === 'patch') {
      const patch = await expectStatus(
        202,
        `PATCH of ${blob.digest}`,
        await request('PATCH', location.href, { headers, body: blob.bytes }),
      )
      await patch.arrayBuffer()
      location = new URL(patch.headers.get('location') ?? '', url)
    }
    location.searchParams.set('digest', blob.digest)
    const body = way === 'put' ? { body: blob.bytes } : {}
    const put = await expectStatus(
      201,
      `PUT of ${blob.digest}`,
      await request('PUT', location.href, { headers, ...body }),
    )
    await put.arrayBuffer()
  }

  const pushManifest = async (name: string, reference: string, image: Image) => {
    const put = await expectStatus(
      201,
      `PUT of manifest ${name}:${reference}`,
      await request('PUT', `/v2/${name}/manifests/${reference}`, {
        headers: { 'content-type': image.mediaType },
        body: image.manifest.bytes,
      }),
    )
    await put.arrayBuffer()
  }

  /** The bytes of a blob or manifest; throws unless 200. */
  const read = async (path: string): Promise<Uint8Array<ArrayBuffer>> => {
    const answer = await expectStatus(
      200,
      `GET ${path}`,
      await request('GET', path, { headers: { accept: acceptManifests } }),
    )
    return new Uint8Array(await answer.arrayBuffer())
  }

  return {
    request,
    pushBlob,
    pushManifest,
    readBlob: (name: string, digest: string) => read(`/v2/${name}/blobs/${digest}`),
    readManifest: (name: string, reference: string) => read(`/v2/${name}/manifests/${reference}`),
    /** The digest header of a manifest, or undefined when it is not there. */
    headManifest: async (name: string, reference: string): Promise<string | undefined> => {
      const answer = await request('HEAD', `/v2/${name}/manifests/${reference}`, {
        headers: { accept: acceptManifests },
      })
      return answer.status === 200
        ? (answer.headers.get('docker-content-digest') ?? undefined)
        : undefined
    },
  }
}
