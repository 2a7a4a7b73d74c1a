import { MEDIA_TYPE } from '../../oci/media-types.ts'
import { parseRepositoryName } from '../../oci/reference.ts'
import type { Referrer } from '../../registry/referrers.ts'
import { demandDigest, nextLink, pageSize } from './parse.ts'
import { accountOf, type V2Deps, type V2Handler } from './v2.ts'

const TAGS_PAGE = 10_000
const CATALOG_PAGE = 1_000
const CATALOG_MAX = 10_000
/**
 * containerd and go-containerregistry do not follow the Link of referrers, so a page is as large
 * as clients accept (4 MiB).
 */
const REFERRERS_PAGE = 10_000
const REFERRERS_BYTES = 4 * 1024 * 1024 - 1024

/** Tags, catalog, referrers, extensions (distribution-spec, "Content Discovery"). */
export function listHandlers({ registry }: V2Deps): Record<string, V2Handler> {
  return {
    async tags({ context, asked, name }) {
      const limit = pageSize(context.query, TAGS_PAGE, TAGS_PAGE)
      const last = context.query.get('last')
      const names = await registry.tags.names(name, {
        limit: limit + 1,
        ...(last === null ? {} : { after: last }),
      })
      const page = names.slice(0, limit)
      const more = limit > 0 && names.length > limit
      const link = nextLink(`/v2/${asked}/tags/list`, { n: String(limit), last: page.at(-1) ?? '' })
      return json({ name: asked, tags: page }, more ? { link } : {})
    },

    async catalog({ context, principal }) {
      const limit = pageSize(context.query, CATALOG_PAGE, CATALOG_MAX)
      const after = parseRepositoryName(context.query.get('last') ?? '')
      const names = await registry.catalog.list({
        limit: limit + 1,
        visibleTo: principal.isAdmin ? 'all' : accountOf(principal),
        ...(after ? { after } : {}),
      })
      const page = names.slice(0, limit)
      const more = limit > 0 && names.length > limit
      const link = nextLink('/v2/_catalog', { n: String(limit), last: page.at(-1) ?? '' })
      return json({ repositories: page }, more ? { link } : {})
    },

    async referrers({ context, asked, name, target }) {
      const subject = demandDigest(target)
      const limit = pageSize(context.query, REFERRERS_PAGE, REFERRERS_PAGE)
      const artifactTypes = context.query.getAll('artifactType').filter(Boolean).slice(0, 100)
      const last = context.query.get('last')
      const found = await registry.referrers.list(name, subject, {
        artifactTypes,
        limit: limit + 1,
        ...(last === null ? {} : { after: last }),
      })
      const page = fitting(found.slice(0, limit))
      const more = limit > 0 && page.length < found.length
      const link = nextLink(`/v2/${asked}/referrers/${subject}`, {
        ...(artifactTypes.length > 0 ? { artifactType: artifactTypes } : {}),
        n: String(limit),
        last: page.at(-1)?.digest ?? '',
      })
      return json(
        { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: page },
        {
          'content-type': MEDIA_TYPE.ociIndex,
          ...(artifactTypes.length > 0 ? { 'oci-filters-applied': 'artifactType' } : {}),
          ...(more ? { link } : {}),
        },
      )
    },

    /** We have no extensions beyond the specification. */
    async extensions() {
      return json({ extensions: [] }, {})
    },
  }
}

/** As many as a client is willing to read in one answer. */
function fitting(referrers: Referrer[]): Referrer[] {
  let size = 0
  const end = referrers.findIndex((referrer) => {
    size += Buffer.byteLength(JSON.stringify(referrer)) + 1
    return size > REFERRERS_BYTES
  })
  return end < 0 ? referrers : referrers.slice(0, Math.max(1, end))
}

function json(body: unknown, headers: Record<string, string>): Response {
  const bytes = Buffer.from(JSON.stringify(body))
  return new Response(bytes, {
    headers: {
      'content-type': 'application/json',
      'content-length': String(bytes.length),
      ...headers,
    },
  })
}
