import { createHash } from 'node:crypto'
import { isAppError } from '../lib/errors.ts'
import { readBody } from '../lib/guarded-fetch-body.ts'
import { algorithmOf, type Digest, parseDigest, toDigest } from '../oci/digest.ts'
import { MANIFEST_SIZE_LIMIT } from '../oci/manifest.ts'
import { MEDIA_TYPE } from '../oci/media-types.ts'
import type { Reference } from '../oci/reference.ts'
import type { ManifestContent, RegistryCall } from '../oci/registry.ts'
import { remoteFault } from './remote-error.ts'
import { deleteScope, pullScope, pushScope } from './scopes.ts'
import type { RemoteCall, Transport } from './transport.ts'

/** Without a wildcard, which several registries take for "as schema 1 please". */
const ACCEPT = [
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.dockerManifest,
  MEDIA_TYPE.dockerList,
  'application/vnd.oci.artifact.manifest.v1+json',
].join(', ')
const SAYS_NOTHING = ['', 'application/json', 'text/plain', 'application/octet-stream']
/** Registries that do not do HEAD say so in many ways. */
const NO_HEAD = [400, 403, 405, 501]

export type Manifests = ReturnType<typeof createManifests>

export function createManifests(transport: Transport) {
  const { host } = transport

  function call(
    method: RemoteCall['method'],
    repository: string,
    reference: string,
    { signal }: RegistryCall,
  ) {
    return {
      method,
      url: transport.pathUrl(`${repository}/manifests/${reference}`),
      scopes: [pullScope(repository)],
      signal,
    }
  }

  async function read(
    repository: string,
    reference: Reference,
    options: RegistryCall = {},
  ): Promise<ManifestContent | undefined> {
    const text = textOf(reference)
    const ask = (accept: string) =>
      transport.send({
        ...call('GET', repository, text, options),
        doing: `read the manifest ${nameOf(repository, text)}`,
        headers: { accept },
        expect: [200, 404, 406],
      })
    let { response } = await ask(ACCEPT)
    if (response.status === 406) {
      await response.body?.cancel()
      response = (await ask('*/*')).response
    }
    if (response.status !== 200) {
      await response.body?.cancel()
      if (response.status === 404) return undefined
      throw remoteFault('unsupported', `${host} has ${nameOf(repository, text)} in no known form`)
    }
    const bytes = await readBody(response, MANIFEST_SIZE_LIMIT)
    const digest = verify(bytes, reference, response, nameOf(repository, text))
    return { digest, mediaType: mediaTypeOf(bytes, response), bytes }
  }

  /** The digest that the bytes have; what was said of it must agree. */
  function verify(bytes: Uint8Array, reference: Reference, response: Response, name: string) {
    const said = parseDigest(response.headers.get('docker-content-digest') ?? '')
    const expected = reference.kind === 'digest' ? reference.digest : said
    const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected)
    const digest = toDigest(algorithm, createHash(algorithm).update(bytes).digest('hex'))
    if (expected === undefined || expected === digest) return digest
    throw remoteFault('digest', `${host} sent other bytes for ${name} than its digest is of`)
  }

  return {
    read,

    async resolve(repository: string, reference: Reference, options: RegistryCall = {}) {
      const text = textOf(reference)
      const { response } = await transport
        .send({
          ...call('HEAD', repository, text, options),
          doing: `look up the manifest ${nameOf(repository, text)}`,
          headers: { accept: ACCEPT },
          expect: [200, 404, 406, ...NO_HEAD],
        })
        .catch((error) => {
          if (isAppError(error, 'remote_denied'))
            return { response: new Response(null, { status: 403 }) }
          throw error
        })
      if (response.status === 404) return undefined
      const found = response.status === 200 ? readHead(response, reference) : undefined
      if (found) return found
      const content = await read(repository, reference, options)
      return content && { ...content, size: content.bytes.length }
    },

    /** The headers of the answer, which tell whether a subject was noticed. */
    async write(
      repository: string,
      { digest, mediaType, bytes }: ManifestContent,
      options: RegistryCall & { tag?: string | undefined; ifMatch?: string | undefined } = {},
    ): Promise<Headers> {
      const reference = options.tag ?? digest
      const { response } = await transport.send({
        ...call('PUT', repository, reference, options),
        doing: `store the manifest ${nameOf(repository, reference)}`,
        scopes: [pushScope(repository)],
        headers: {
          'content-type': mediaType,
          ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
        },
        body: bytes,
        // Quay answers 202.
        expect: [200, 201, 202, 204],
      })
      await response.body?.cancel()
      const said = response.headers.get('docker-content-digest')
      if (
        said !== null &&
        parseDigest(said) &&
        algorithmOf(said as Digest) === algorithmOf(digest)
      ) {
        if (said !== digest) {
          throw remoteFault(
            'digest',
            `${host} stored something else as ${nameOf(repository, reference)} than was sent`,
          )
        }
      }
      return response.headers
    },

    /** False when it was not there. */
    async remove(repository: string, reference: string, options: RegistryCall = {}) {
      const { response } = await transport.send({
        ...call('DELETE', repository, reference, options),
        doing: `delete ${nameOf(repository, reference)}`,
        scopes: [deleteScope(repository)],
        expect: [200, 202, 204, 404],
      })
      await response.body?.cancel()
      return response.status !== 404
    },
  }
}

function readHead({ headers }: Response, reference: Reference) {
  const said = parseDigest(headers.get('docker-content-digest') ?? '')
  const digest = reference.kind === 'digest' ? reference.digest : said
  const length = headers.get('content-length') ?? ''
  const mediaType = baseType(headers)
  if (!digest || !/^[1-9]\d*$/.test(length) || SAYS_NOTHING.includes(mediaType)) return undefined
  return { digest, mediaType, size: Number(length) }
}

/** As the header says; where that says nothing, by the body. */
function mediaTypeOf(bytes: Uint8Array, { headers }: Response): string {
  const type = baseType(headers)
  if (!SAYS_NOTHING.includes(type)) return type
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof body === 'object' && body !== null) {
      if ('mediaType' in body && typeof body.mediaType === 'string') return body.mediaType
      return 'manifests' in body ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.ociManifest
    }
  } catch {
    // Whoever stores it will refuse it.
  }
  return type
}

function baseType(headers: Headers): string {
  return (headers.get('content-type')?.split(';')[0] ?? '').trim()
}

function textOf(reference: Reference): string {
  return reference.kind === 'digest' ? reference.digest : reference.tag
}

function nameOf(repository: string, reference: string): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${reference}`
}
