import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Card, Select, Skeleton } from 'antd'
import { useTranslation } from 'react-i18next'
import { get } from '../../api/client.ts'
import type { UsageDay } from '../../api/types.ts'
import { DayChart } from '../../parts/day-chart.tsx'
import { ErrorView } from '../../parts/error-view.tsx'
import { useFilters } from '../../parts/list.tsx'

const PERIODS = [30, 90, 365]
const USUAL = 30

/** Storage, pushes and pulls by day: of one project, or of all that one may see. */
export function UseOverTime({ path }: { path: string }) {
  const { t } = useTranslation()
  const { days } = useSearch({ strict: false }) as { days?: string }
  const period = PERIODS.find((known) => String(known) === days) ?? USUAL
  const filter = useFilters()
  const { data, error, refetch } = useQuery({
    queryKey: [path, { days: period }],
    queryFn: ({ signal }) => get<{ items: UsageDay[] }>(path, { days: period }, signal),
  })
  const choice = (
    <Select
      size="small"
      value={period}
      aria-label={t('usage.days')}
      options={PERIODS.map((value) => ({ value, label: t('usage.lastDays', { count: value }) }))}
      onChange={(value) => void filter({ days: value === USUAL ? undefined : String(value) })}
    />
  )
  if (error && !data) return <ErrorView error={error} onRetry={() => void refetch()} />
  const items = data?.items ?? []
  const at = items.map((day) => day.at)
  const valuesOf = (key: Exclude<keyof UsageDay, 'at'>) => items.map((day) => day[key])
  const hasPhysical = items.some(({ physicalBytes }) => physicalBytes !== null)
  return (
    <div className="columns" style={{ marginBottom: 16 }}>
      <Card title={t('usage.storage')} extra={choice}>
        {data ? (
          <DayChart
            title={t('usage.storage')}
            days={at}
            unit="bytes"
            series={[
              { key: 'logical', name: t('usage.logical'), values: valuesOf('logicalBytes') },
              { key: 'unique', name: t('usage.unique'), values: valuesOf('uniqueBytes') },
              ...(hasPhysical
                ? [
                    {
                      key: 'physical',
                      name: t('usage.physical'),
                      values: valuesOf('physicalBytes'),
                    },
                  ]
                : []),
            ]}
          />
        ) : (
          <Skeleton active paragraph={{ rows: 5 }} />
        )}
      </Card>
      <Card title={t('usage.activity')}>
        {data ? (
          <DayChart
            title={t('usage.activity')}
            days={at}
            unit="count"
            series={[
              { key: 'pulls', name: t('usage.pulls'), values: valuesOf('pulls') },
              { key: 'pushes', name: t('usage.pushes'), values: valuesOf('pushes') },
            ]}
          />
        ) : (
          <Skeleton active paragraph={{ rows: 5 }} />
        )}
      </Card>
    </div>
  )
}
