import { useQuery } from '@tanstack/react-query'
import { Card, Skeleton, Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { get, path } from '../../api/client.ts'
import type { Chart } from '../../api/types.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { Markdown } from '../../parts/markdown.tsx'
import { Source } from '../../parts/source.tsx'
import { Command } from '../../parts/values.tsx'
import { type RepositoryAddress, repositoryPath } from './use-repository.ts'

/** One version of a chart: what it is, how it is installed, and what it says of itself. */
export function ChartView({ address, version }: { address: RepositoryAddress; version: string }) {
  const { t } = useTranslation()
  const url = repositoryPath(address) + path`/chart-versions/${version}`
  const { data: chart, error } = useQuery({
    queryKey: [url],
    queryFn: ({ signal }) => get<Chart>(url, {}, signal),
  })
  if (error) return <ErrorView error={error} />
  if (!chart) return <Skeleton active />
  const { host, protocol } = window.location
  const name = String(chart.metadata.name ?? address.repository)
  const plain = protocol === 'http:' ? ' --plain-http' : ''
  const full = `${address.project}/${address.repository}`
  return (
    <Card title={`${name} ${chart.version}`}>
      {chart.description && <p>{chart.description}</p>}
      <Command
        text={`helm install ${name} oci://${host}/${full} --version ${chart.version}${plain}`}
      />
      <Tabs
        items={[
          {
            key: 'readme',
            label: 'README',
            children: chart.readme ? (
              <Markdown text={chart.readme} />
            ) : (
              <p>{t('charts.noReadme')}</p>
            ),
          },
          {
            key: 'values',
            label: t('charts.values'),
            children: chart.values ? <Source text={chart.values} /> : <p>{t('charts.noValues')}</p>,
          },
          {
            key: 'metadata',
            label: 'Chart.yaml',
            children: <Source text={JSON.stringify(chart.metadata, null, 2)} />,
          },
        ]}
      />
    </Card>
  )
}
