import { Link, useParams, useSearch } from '@tanstack/react-router'
import { Space, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { ListedChart } from '../../api/types.ts'
import { List, useList } from '../../parts/list.tsx'
import { Size, Time } from '../../parts/values.tsx'
import { ChartView } from './chart-view.tsx'
import { repositoryPath } from './use-repository.ts'

const ROUTE = '/shell/projects/$project/repositories/$repository/charts'

export function ChartsPage() {
  const { t } = useTranslation()
  const address = useParams({ from: ROUTE })
  const { version } = useSearch({ from: ROUTE })
  const list = useList<ListedChart>({ path: `${repositoryPath(address)}/chart-versions` })
  const shown = version ?? list.data?.items[0]?.version
  return (
    <>
      {shown !== undefined && <ChartView address={address} version={shown} />}
      <h2 style={{ fontSize: 17, margin: '28px 0 12px' }}>{t('charts.versions')}</h2>
      <List
        list={list}
        label={t('charts.versions')}
        rowKey={({ digest }) => digest}
        empty={t('charts.none')}
        columns={[
          {
            title: t('charts.version'),
            key: 'version',
            render: (_, chart) => (
              <Space size={6}>
                <Link
                  to="/projects/$project/repositories/$repository/charts"
                  params={address}
                  search={{ version: chart.version }}
                >
                  {chart.version}
                </Link>
                {chart.signed && <Tag color="green">{t('artifacts.kinds.signature')}</Tag>}
                {chart.deprecated && <Tag color="orange">{t('charts.deprecated')}</Tag>}
              </Space>
            ),
          },
          {
            title: t('charts.appVersion'),
            key: 'app',
            render: (_, chart) => chart.appVersion ?? '–',
          },
          {
            title: t('common.size'),
            key: 'size',
            align: 'right',
            render: (_, chart) => <Size bytes={chart.archiveSize} />,
          },
          {
            title: t('artifacts.pushed'),
            key: 'pushed',
            render: (_, chart) => <Time at={chart.createdAt} />,
          },
        ]}
      />
    </>
  )
}
