import { z } from '@hono/zod-openapi'
import type { ChartFile } from '../../charts/catalog.ts'
import { AppError } from '../../lib/errors.ts'
import type { RequestContext } from '../context.ts'
import type { CcrParts } from './ccr.ts'
import { shown } from './input.ts'
import { pageOrAll } from './paging.ts'
import { DONE, type Endpoint, endpoint, route } from './route.ts'
import { listTime, nameHas, noPaging, paging } from './schemas.ts'
import { viewerOf } from './viewer.ts'

/** Above this size an answer may take a slow client longer than the server's idle limit. */
const SLOW_ANSWER_BYTES = 256 * 1024

const ChartItem = z
  .object({
    name: z.string().openapi({
      description: 'Within the project; deeper charts with their path',
      example: 'postgresql',
    }),
    total_versions: z.int().openapi({ example: 1 }),
    latest_version: z.string().openapi({ description: 'By semver', example: '12.2.7' }),
    project_name: z.string().openapi({ example: 'library' }),
    created: listTime,
    updated: listTime,
  })
  .openapi('CcrChart')

const IN_PROJECT = '/projects/{project}/charts'

export const chartRoutes = {
  list: route({
    name: 'chart.list',
    method: 'GET',
    path: '/projects/charts',
    summary: { en: 'List the charts of all projects that you may see', zh: '查看 chart 仓库列表' },
    permission: 'catalog:read',
    on: 'system',
    query: { ...paging, nameHas, noPaging },
    output: { pageNo: z.int(), pageSize: z.int(), total: z.int(), charts: z.array(ChartItem) },
  }),
  remove: route({
    name: 'chart.delete',
    method: 'DELETE',
    path: `${IN_PROJECT}/{chart}/delete`,
    summary: { en: 'Delete a chart with all its versions', zh: '删除 chart 仓库' },
    permission: 'repository:delete',
    on: 'repository',
  }),
  download: route({
    name: 'chart.download',
    method: 'GET',
    path: `${IN_PROJECT}/{file}/download`,
    summary: { en: 'Download the archive of a chart version', zh: '下载 chart 包' },
    permission: 'repository:pull',
    on: 'project',
    output: 'archive',
  }),
}

export function chartEndpoints({ charts, times }: CcrParts): Endpoint[] {
  const { catalog, removal } = charts

  return [
    endpoint(chartRoutes.list, async ({ query, principal }) => {
      const { range, page, pageSize, warning } = pageOrAll(query)
      const { limit, offset } = range
      const viewer = viewerOf(principal)
      const { total, charts: found } = await catalog.list({
        offset,
        ...(limit === undefined ? {} : { limit }),
        ...(query.nameHas === undefined ? {} : { nameHas: query.nameHas }),
        ...(viewer === 'all' ? {} : { visibleTo: viewer }),
      })
      const shownCharts = found.map((chart) => ({
        name: chart.name,
        total_versions: chart.totalVersions,
        latest_version: chart.latestVersion,
        project_name: chart.project,
        created: times.list(chart.createdAt),
        updated: times.list(chart.updatedAt),
      }))
      return { fields: { pageNo: page, pageSize, total, charts: shownCharts }, warning }
    }),

    endpoint(chartRoutes.remove, async ({ name, principal, audit }) => {
      await removal.remove(name, principal.account, (tx, { version, digest }) => {
        const resource = version === undefined ? name.full : `${name.full}:${version}`
        return audit(tx, { resource, details: { tag: version, digest } })
      })
      return DONE
    }),

    endpoint(chartRoutes.download, async ({ context, project, params }) => {
      const asked = params.file ?? ''
      if (!asked.endsWith('.tgz')) {
        throw new AppError(
          'invalid_input',
          `fileName is ${shown(asked)}: it must be the chart's name, "-", its version and ".tgz"`,
          { field: 'fileName' },
        )
      }
      return archiveResponse(await catalog.open(project.name, asked), context)
    }),
  ]
}

function archiveResponse({ version, size, source }: ChartFile, context: RequestContext): Response {
  const headers = {
    // As ChartMuseum names it, which CCR passes on.
    'content-type': 'application/x-tar',
    'content-disposition': `attachment; filename="${version.fileName}"`,
    'content-length': String(size),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  if (context.method === 'HEAD') return new Response(null, { headers })
  if (size > SLOW_ANSWER_BYTES) context.keepOpen()
  if (source instanceof Uint8Array) return new Response(Buffer.from(source), { headers })
  if (source.kind === 'file') return new Response(source.file, { headers })
  if (source.kind === 'stream') return new Response(source.stream, { headers })
  return new Response(null, { status: 307, headers: { location: source.url } })
}
