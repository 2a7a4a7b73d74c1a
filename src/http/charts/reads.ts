import type { ChartVersion } from '../../charts/catalog.ts'
import { chartUnknown, versionUnknown } from '../../charts/removal.ts'
import { AppError } from '../../lib/errors.ts'
import { matchesEtag } from '../v2/manifests.ts'
import {
  type ChartFaceDeps,
  type ChartHandler,
  type ChartRequest,
  chartOf,
  jsonResponse,
  textResponse,
} from './face.ts'
import { harborDetails, harborList } from './harbor.ts'

/** Where the ChartMuseum API is, for `helm cm-push`. */
const CONTEXT_PATH = '/charts'
/** Above this size an answer may take a slow client longer than the server's idle limit. */
const SLOW_ANSWER_BYTES = 256 * 1024

/** Indexes, archives, and what the ChartMuseum API shows. */
export function readHandlers({ charts }: ChartFaceDeps): Record<string, ChartHandler> {
  const { catalog, contents, index } = charts

  async function versionOf(request: ChartRequest): Promise<ChartVersion> {
    const name = chartOf(request)
    const found = await catalog.find(name, request.target.version)
    if (!found) throw versionUnknown(name, request.target.version)
    return found
  }

  return {
    async index(request) {
      const { context, route } = request
      const folder = folderOf(request)
      // Programs for Harbor put `/api` before the address of the repository, as its index said.
      const contextPath = route.isHarbor ? undefined : CONTEXT_PATH
      const { etag, bytes } = await index.read({ folder, contextPath })
      const headers = { etag: `"${etag}"`, 'cache-control': 'no-cache' }
      if (matchesEtag(context.request.headers.get('if-none-match'), etag)) {
        return new Response(null, { status: 304, headers })
      }
      const body = await bytes()
      if (body.length > SLOW_ANSWER_BYTES) context.keepOpen()
      const length = String(body.length)
      return new Response(Buffer.from(body.buffer, body.byteOffset, body.length), {
        headers: { ...headers, 'content-type': 'application/x-yaml', 'content-length': length },
      })
    },

    async file(request) {
      const { context, target, folder, projectName } = request
      const path = folder === '' ? target.file : `${folder}/${target.file}`
      const { digest, size, source } = await catalog.open(projectName, path)
      const headers = {
        etag: `"${digest}"`,
        // `?force` replaces a file.
        'cache-control': 'no-cache',
        'content-type': path.endsWith('.prov') ? 'application/pgp-signature' : 'application/x-tar',
        'content-disposition': 'attachment',
        'x-content-type-options': 'nosniff',
      }
      if (matchesEtag(context.request.headers.get('if-none-match'), digest)) {
        return new Response(null, { status: 304, headers })
      }
      if (size > SLOW_ANSWER_BYTES) context.keepOpen()
      const withLength = { ...headers, 'content-length': String(size) }
      if (source instanceof Uint8Array) return new Response(source, { headers: withLength })
      if (source.kind === 'file') return new Response(source.file, { headers: withLength })
      if (source.kind === 'stream') return new Response(source.stream, { headers: withLength })
      return new Response(null, { status: 307, headers: { location: source.url } })
    },

    async list(request) {
      const folder = folderOf(request)
      if (request.route.isHarbor) {
        const { project, path } = folder
        const { charts: found } = await catalog.list({ project, folder: path })
        return jsonResponse(found.map(harborList))
      }
      return textResponse(
        await index.json(folder, pageOf(request.context.query)),
        'application/json',
      )
    },

    async chart(request) {
      const name = chartOf(request)
      const versions = await catalog.versions(name)
      if (versions.length === 0) throw chartUnknown(name)
      return jsonResponse(versions.map(({ entry }) => entry))
    },

    async version(request) {
      const version = await versionOf(request)
      if (!request.route.isHarbor) return jsonResponse(version.entry)
      return jsonResponse(harborDetails(version, await contents.texts(version)))
    },

    async templates(request) {
      const { files, values } = await contents.templates(await versionOf(request))
      const templates = files.map(({ path, bytes }) => ({
        name: path,
        data: Buffer.from(bytes).toString('base64'),
      }))
      return jsonResponse({ templates, values })
    },

    async values(request) {
      return textResponse(await contents.values(await versionOf(request)), 'application/yaml')
    },

    async readme(request) {
      return textResponse(
        await contents.readme(await versionOf(request)),
        'text/markdown; charset=utf-8',
      )
    },
  }
}

/** @throws AppError project_unknown */
function folderOf({ project, projectName, folder }: ChartRequest) {
  if (project) return { project: project.id, path: folder }
  throw new AppError('project_unknown', `project "${projectName}" does not exist`)
}

/** @throws AppError invalid_input */
function pageOf(query: URLSearchParams): { offset: number; limit?: number } {
  const offset = numberOf(query.get('offset') ?? '0')
  if (offset === undefined) throw invalid('offset', 'non-negative')
  const text = query.get('limit')
  if (text === null) return { offset }
  const limit = numberOf(text)
  if (!limit) throw invalid('limit', 'positive')
  return { offset, limit }
}

function numberOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function invalid(field: string, what: string): AppError {
  return new AppError('invalid_input', `${field} is not a valid ${what} integer`, { field })
}
