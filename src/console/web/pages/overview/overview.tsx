import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Card, Skeleton, Statistic } from 'antd'
import { useTranslation } from 'react-i18next'
import { get } from '../../api/client.ts'
import type { LargeProject, Overview } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { Size } from '../../parts/values.tsx'
import { QuotaBar, UsedOfQuota } from '../projects/quota-use.tsx'
import { Beginning } from './beginning.tsx'
import { RegistryHealth } from './registry-health.tsx'
import { UseOverTime } from './use-over-time.tsx'

export function OverviewPage() {
  const { t } = useTranslation()
  const { data, error, refetch } = useQuery({
    queryKey: ['/overview'],
    queryFn: ({ signal }) => get<Overview>('/overview', {}, signal),
    refetchInterval: 30_000,
  })
  return (
    <div className="page">
      <PageHead title={t('nav.overview')} />
      {error && !data && <ErrorView error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Skeleton active paragraph={{ rows: 8 }} />}
      {data && <Figures overview={data} />}
    </div>
  )
}

function Figures({ overview }: { overview: Overview }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { projects, repositories, tags, logicalBytes, uniqueBytes, physicalBytes, jobs } = overview
  const counts = [
    [t('overview.projects'), format.number(projects)],
    [t('overview.repositories'), format.number(repositories)],
    [t('overview.tags'), format.number(tags)],
  ] as const
  const sizes = [
    [t('overview.logical'), logicalBytes, t('overview.logicalHint')],
    [t('overview.unique'), uniqueBytes, t('overview.uniqueHint')],
    ...(physicalBytes === null
      ? []
      : ([[t('overview.physical'), physicalBytes, t('overview.physicalHint')]] as const)),
  ] as const

  return (
    <>
      {tags === 0 && <Beginning />}
      <div className="cards">
        {counts.map(([title, value]) => (
          <Card key={title} size="small">
            <Statistic title={title} value={value} />
          </Card>
        ))}
        {sizes.map(([title, value, hint]) => (
          <Card key={title} size="small">
            <Statistic
              title={<span title={hint}>{title}</span>}
              formatter={() => <Size bytes={value} />}
            />
          </Card>
        ))}
      </div>
      <UseOverTime path="/usage" />
      <div className="columns thirds">
        <Card title={t('overview.largest')}>
          <Largest projects={overview.largest} />
        </Card>
        {jobs && (
          <Card title={t('overview.jobs')} extra={<Link to="/jobs">{t('overview.allJobs')}</Link>}>
            <dl className="fact-list">
              {(['running', 'queued', 'failed'] as const).map((state) => (
                <FactOfJobs key={state} state={state} count={jobs[state]} />
              ))}
            </dl>
          </Card>
        )}
        {overview.registries && (
          <RegistryHealth counts={overview.registries} runners={overview.runners} />
        )}
      </div>
    </>
  )
}

function FactOfJobs({ state, count }: { state: 'running' | 'queued' | 'failed'; count: number }) {
  const { t } = useTranslation()
  const format = useFormat()
  return (
    <>
      <dt>{t(`jobs.states.${state}`)}</dt>
      <dd>
        <Link to="/jobs" search={{ state }}>
          {format.number(count)}
        </Link>
      </dd>
    </>
  )
}

function Largest({ projects }: { projects: LargeProject[] }) {
  const { t } = useTranslation()
  if (projects.length === 0) return <p>{t('projects.none')}</p>
  return (
    <ul className="measured-list">
      {projects.map(({ id, name, uniqueBytes: used, quota }) => (
        <li key={id}>
          <div className="name-and-figure">
            <Link to="/projects/$project" params={{ project: name }}>
              {name}
            </Link>
            <span>
              <UsedOfQuota used={used} quota={quota} />
            </span>
          </div>
          <QuotaBar name={name} used={used} quota={quota} />
        </li>
      ))}
    </ul>
  )
}
