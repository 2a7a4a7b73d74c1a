import { AppError } from '../../lib/errors.ts'
import { MANIFEST_SIZE_LIMIT } from '../../oci/manifest.ts'
import type { StoredManifest } from '../../registry/manifests.ts'
import { readWhole } from '../body.ts'
import { auditOf } from './audit.ts'
import { askedReference, demandReference, demandTag } from './parse.ts'
import { pusherOf } from './pusher.ts'
import { accountOf, type V2Deps, type V2Handler, type V2Request } from './v2.ts'

/** Tags of one push by digest; the specification asks for at least 10. */
const TAG_LIMIT = 100

export function manifestHandlers(deps: V2Deps): Record<string, V2Handler> {
  const { registry, pulls, settings } = deps

  async function read({ context, name, target }: V2Request, withBody: boolean): Promise<Response> {
    const reference = askedReference(target)
    const whole = withBody ? await registry.manifests.get(name, reference) : undefined
    const manifest = whole ?? (await registry.manifests.head(name, reference))
    if (whole) pulls.note({ manifest: whole.id, tag: whole.tagId })
    const headers = headersOf(manifest, reference.kind === 'digest')
    if (matchesEtag(context.request.headers.get('if-none-match'), manifest.digest)) {
      return new Response(null, { status: 304, headers })
    }
    headers['content-length'] = String(manifest.size)
    return new Response(whole ? Buffer.from(whole.bytes) : null, { headers })
  }

  return {
    'manifest.get': (request) => read(request, true),
    'manifest.head': (request) => read(request, false),

    async 'manifest.put'(request) {
      const { context, asked, name, target } = request
      const reference = demandReference(target)
      const tags = context.query.getAll('tag').map(demandTag)
      if (tags.length > TAG_LIMIT) {
        throw new AppError('invalid_input', `at most ${TAG_LIMIT} tags can be set at once`)
      }
      const bytes = await readWhole(context.request, {
        limit: MANIFEST_SIZE_LIMIT,
        idleMs: settings.bodyIdleMs,
        tooLarge: () =>
          new AppError(
            'manifest_too_large',
            `the manifest is larger than ${MANIFEST_SIZE_LIMIT} bytes, which clients refuse to pull`,
          ),
      })
      await registry.uploads.demandRoom(bytes.length)
      const pushed = await registry.manifests.put({
        name,
        reference,
        tags,
        contentType: context.request.headers.get('content-type') ?? '',
        bytes,
        pusher: await pusherOf(deps, request),
      })
      const response = new Response(null, {
        status: 201,
        headers: {
          location: `/v2/${asked}/manifests/${pushed.digest}`,
          'docker-content-digest': pushed.digest,
          // Tells clients that the referrers API will list it, so no fallback tag is needed.
          ...(pushed.subject ? { 'oci-subject': pushed.subject } : {}),
        },
      })
      for (const tag of tags) response.headers.append('oci-tag', tag)
      for (const text of pushed.warnings) response.headers.append('warning', `299 - "${text}"`)
      return response
    },

    async 'manifest.delete'(request) {
      const { name, principal, target } = request
      const account = accountOf(principal)
      const reference = askedReference(target)
      if (reference.kind === 'tag') {
        const audit = auditOf<{ digest: string }>(request, 'tag.delete', target)
        await registry.tags.remove(name, reference.tag, account, audit)
      } else {
        const audit = auditOf(request, 'artifact.delete', reference.digest)
        await registry.manifests.remove(name, reference.digest, account, {}, audit)
      }
      return new Response(null, { status: 202 })
    },
  }
}

function headersOf(
  { digest, mediaType }: Omit<StoredManifest, 'bytes'>,
  byDigest: boolean,
): Record<string, string> {
  return {
    'content-type': mediaType,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    // A tag may move at any time; what a digest names never changes.
    'cache-control': byDigest ? 'private, max-age=31536000, immutable' : 'no-cache',
  }
}

/** RFC 9110 section 13.1.2, weak comparison. */
export function matchesEtag(header: string | null, digest: string): boolean {
  if (!header) return false
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${digest}"`)
}
