import { z } from '@hono/zod-openapi'
import { ARCHIVE_LIMIT } from '../../charts/archive.ts'
import type { ChartVersion } from '../../charts/catalog.ts'
import { AppError } from '../../lib/errors.ts'
import type { RepositoryName } from '../../oci/reference.ts'
import type { ApiDeps } from './api.ts'
import { listReply } from './pages.ts'
import { type Endpoint, endpoint, route } from './route.ts'
import { digest, page, pageOf, time } from './schemas.ts'

/* Helm charts of a repository, as what they are. */

const ListedChart = z
  .object({
    version: z.string().openapi({ example: '1.4.2' }),
    digest,
    fileName: z.string(),
    archiveDigest: digest,
    archiveSize: z.int(),
    signed: z.boolean().openapi({ description: 'It has a provenance file' }),
    createdAt: time,
    appVersion: z.string().nullable(),
    description: z.string().nullable(),
    deprecated: z.boolean(),
  })
  .openapi('ChartVersion')

const Chart = ListedChart.extend({
  metadata: z.record(z.string(), z.unknown()).openapi({ description: 'Of Chart.yaml' }),
  readme: z.string().nullable().openapi({ description: 'Markdown, as it was pushed' }),
  values: z.string().nullable().openapi({ description: 'values.yaml' }),
}).openapi('Chart')

const OF_REPOSITORY = '/projects/{project}/repositories/{repository}/chart-versions'
const read = { method: 'GET', permission: 'repository:pull', on: 'repository' } as const
const params = { version: z.string().min(1).max(256).openapi({ example: '1.4.2' }) }

export const chartVersionRoutes = {
  list: route({
    name: 'chart.list',
    path: OF_REPOSITORY,
    summary: 'List the versions of the chart in a repository, the highest first',
    ...read,
    query: page,
    output: pageOf(ListedChart),
  }),
  get: route({
    name: 'chart.get',
    path: `${OF_REPOSITORY}/{version}`,
    summary: 'Read a version of a chart, with its README and values',
    ...read,
    params,
    output: Chart,
  }),
}

export function chartVersionEndpoints({ charts }: ApiDeps): Endpoint[] {
  return [
    endpoint(chartVersionRoutes.list, async ({ name, query: { limit = 100, after } }) => {
      const all = await charts.catalog.versions(name)
      const start = after === undefined ? 0 : all.findIndex(({ version }) => version === after) + 1
      const items = all.slice(start, start + limit).map(viewOf)
      const last = items.at(-1)
      return listReply({
        items,
        ...(last && start + limit < all.length ? { next: last.version } : {}),
      })
    }),

    endpoint(chartVersionRoutes.get, async ({ name, params: { version } }) => {
      const found = await charts.catalog.find(name, version)
      if (!found) throw chartUnknown(name, version)
      const isReadable = found.archiveSize <= ARCHIVE_LIMIT
      const files: Record<string, string> = isReadable
        ? (await charts.contents.texts(found)).files
        : {}
      const { urls: _, created: __, digest: ___, ...metadata } = found.entry
      return {
        body: {
          ...viewOf(found),
          metadata,
          readme: files['README.md'] ?? null,
          values: files['values.yaml'] ?? null,
        },
      }
    }),
  ]
}

function viewOf({ entry, provenanceDigest, ...chart }: ChartVersion) {
  return {
    version: chart.version,
    digest: chart.digest,
    fileName: chart.fileName,
    archiveDigest: chart.archiveDigest,
    archiveSize: chart.archiveSize,
    createdAt: chart.createdAt,
    signed: provenanceDigest !== null,
    appVersion: textOf(entry.appVersion),
    description: textOf(entry.description),
    deprecated: entry.deprecated === true,
  }
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

function chartUnknown(name: RepositoryName, version: string): AppError {
  const shown = version.slice(0, 100)
  return new AppError('not_found', `repository "${name.full}" has no chart of version "${shown}"`)
}
