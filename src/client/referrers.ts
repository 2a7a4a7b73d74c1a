import { createHash } from 'node:crypto'
import { isAppError } from '../lib/errors.ts'
import { readBody } from '../lib/guarded-fetch-body.ts'
import { algorithmOf, type Digest, hexOf, toDigest } from '../oci/digest.ts'
import {
  type Descriptor,
  MANIFEST_SIZE_LIMIT,
  ManifestError,
  type ParsedManifest,
  parseManifest,
} from '../oci/manifest.ts'
import { MEDIA_TYPE } from '../oci/media-types.ts'
import type { ManifestContent, RegistryCall } from '../oci/registry.ts'
import type { Manifests } from './manifests.ts'
import { linkOf } from './pages.ts'
import { remoteFault } from './remote-error.ts'
import { pullScope } from './scopes.ts'
import type { Transport } from './transport.ts'

const MOST_PAGES = 1000
const TRIES = 5

/** What refers to a manifest (distribution-spec, "Listing Referrers" and "Referrers Tag Schema"). */
export function createReferrers({
  transport,
  manifests,
  api,
}: {
  transport: Transport
  manifests: Manifests
  /** Whether the registry has the referrers API; undefined: not known yet. */
  api: { has(): boolean | undefined; note(has: boolean): void }
}) {
  const { host } = transport
  /** One change of a fallback tag after the other, since each rewrites all of it. */
  const changes = new Map<string, Promise<void>>()

  /** undefined: the registry has no such API. */
  async function byApi(
    repository: string,
    digest: Digest,
    { signal, artifactType }: RegistryCall & { artifactType?: string | undefined },
  ): Promise<Descriptor[] | undefined> {
    if (api.has() === false) return undefined
    const found: Descriptor[] = []
    const start = transport.pathUrl(`${repository}/referrers/${digest}`)
    if (artifactType) start.searchParams.set('artifactType', artifactType)
    const asked = new Set<string>()
    let next: URL | undefined = start
    while (next) {
      if (asked.has(next.href) || asked.size === MOST_PAGES) {
        throw remoteFault('loop', `${host} lists the referrers of ${digest} without end`)
      }
      asked.add(next.href)
      const { response, url } = await transport.send({
        method: 'GET',
        url: next,
        doing: `list the referrers of ${repository}@${digest}`,
        scopes: [pullScope(repository)],
        headers: { accept: MEDIA_TYPE.ociIndex },
        expect: [200, 400, 404, 405, 501],
        signal,
      })
      const isIndex = response.headers.get('content-type')?.startsWith(MEDIA_TYPE.ociIndex)
      if (response.status !== 200 || !isIndex) {
        const said = new TextDecoder().decode(await readBody(response, MANIFEST_SIZE_LIMIT))
        // Some that have it say so of a repository that is not there.
        if (!said.includes('NAME_UNKNOWN')) api.note(false)
        return undefined
      }
      api.note(true)
      const link = linkOf(response.headers, url)
      found.push(...descriptorsOf(await readBody(response, MANIFEST_SIZE_LIMIT)))
      next = link && link.origin === start.origin ? link : undefined
    }
    return found
  }

  async function byTag(repository: string, digest: Digest, call: RegistryCall) {
    const tag = fallbackTag(digest)
    const content = await manifests.read(repository, { kind: 'tag', tag }, call)
    return content && { content, descriptors: descriptorsOf(content.bytes) }
  }

  /** Rewrites the fallback tag; `change` gets what is listed now. */
  function rewrite(
    repository: string,
    subject: Digest,
    call: RegistryCall,
    change: (listed: Descriptor[]) => Descriptor[] | undefined,
  ): Promise<void> {
    const key = `${repository}@${subject}`
    const turn = (changes.get(key) ?? Promise.resolve()).then(async () => {
      for (let tries = 1; ; tries++) {
        const present = await byTag(repository, subject, call)
        const wanted = change(present?.descriptors ?? [])
        if (wanted === undefined) return
        try {
          const ifMatch = present && `"${present.content.digest}"`
          await manifests.write(repository, indexOf(wanted), {
            ...call,
            tag: fallbackTag(subject),
            ...(ifMatch ? { ifMatch } : {}),
          })
          return
        } catch (error) {
          // 412: somebody else wrote it meanwhile.
          const isLate = isAppError(error) && error.details.status === 412
          if (!isLate || tries === TRIES) throw error
        }
      }
    })
    const settled = turn.catch(() => {})
    changes.set(key, settled)
    void settled.then(() => {
      if (changes.get(key) === settled) changes.delete(key)
    })
    return turn
  }

  return {
    async list(
      repository: string,
      digest: Digest,
      options: RegistryCall & { artifactType?: string | undefined } = {},
    ): Promise<Descriptor[]> {
      const { artifactType } = options
      const found =
        (await byApi(repository, digest, options)) ??
        (await byTag(repository, digest, options))?.descriptors ??
        []
      const byDigest = new Map(found.map((descriptor) => [descriptor.digest, descriptor]))
      return [...byDigest.values()].filter(
        (descriptor) => artifactType === undefined || descriptor.artifactType === artifactType,
      )
    },

    /** After a manifest was stored: lists it under its subject where the registry does not. */
    async added(
      repository: string,
      manifest: ManifestContent,
      answer: Headers,
      call: RegistryCall = {},
    ): Promise<void> {
      const parsed = parse(manifest)
      const subject = parsed?.subject?.digest as Digest | undefined
      if (!parsed || !subject || answer.get('oci-subject') !== null) return
      const known = await byApi(repository, subject, call)
      if (known?.some(({ digest }) => digest === manifest.digest)) return
      await rewrite(repository, subject, call, (listed) => {
        if (listed.some(({ digest }) => digest === manifest.digest)) return undefined
        return [...listed, descriptorOf(manifest, parsed)]
      })
    },

    /** Deletes a manifest by `remove`, and takes it off the fallback tag of its subject. */
    async without(
      repository: string,
      digest: Digest,
      call: RegistryCall,
      remove: () => Promise<boolean>,
    ): Promise<boolean> {
      if (api.has()) return remove()
      // One that cannot be read can still be deleted.
      const reading = manifests.read(repository, { kind: 'digest', digest }, call)
      const manifest = await reading.catch(() => undefined)
      const subject = manifest && (parse(manifest)?.subject?.digest as Digest | undefined)
      const isRemoved = await remove()
      if (!subject || !isRemoved) return isRemoved
      await rewrite(repository, subject, call, (listed) => {
        const rest = listed.filter((descriptor) => descriptor.digest !== digest)
        return rest.length === listed.length ? undefined : rest
      })
      return true
    },
  }
}

/** `sha256-<hex>`; of longer digests the first 64 characters. */
function fallbackTag(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`
}

function descriptorsOf(bytes: Uint8Array): Descriptor[] {
  try {
    return parseManifest(bytes, MEDIA_TYPE.ociIndex)
      .edges.filter(({ kind }) => kind === 'manifest')
      .map(({ descriptor }) => descriptor)
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error
    throw remoteFault('answer', `a list of referrers is no index: ${error.message}`)
  }
}

function parse({ bytes, mediaType }: ManifestContent): ParsedManifest | undefined {
  try {
    return parseManifest(bytes, mediaType)
  } catch {
    return undefined
  }
}

function descriptorOf({ digest, mediaType, bytes }: ManifestContent, parsed: ParsedManifest) {
  const { artifactType, annotations } = parsed
  const raw = {
    mediaType,
    digest,
    size: bytes.length,
    ...(artifactType ? { artifactType } : {}),
    ...(annotations ? { annotations } : {}),
  }
  return { ...raw, raw }
}

function indexOf(descriptors: readonly Descriptor[]): ManifestContent {
  const mediaType = MEDIA_TYPE.ociIndex
  const body = { schemaVersion: 2, mediaType, manifests: descriptors.map(({ raw }) => raw) }
  const bytes = new TextEncoder().encode(JSON.stringify(body))
  const digest = toDigest('sha256', createHash('sha256').update(bytes).digest('hex'))
  return { digest, mediaType, bytes }
}
