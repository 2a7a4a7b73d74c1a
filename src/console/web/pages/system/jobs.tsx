import { useSearch } from '@tanstack/react-router'
import { Button, Progress, Select, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { post } from '../../api/client.ts'
import type { Job, JobState } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { useLivePace } from '../../live/live.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { ServerSaid } from '../../parts/server-said.tsx'
import { Source } from '../../parts/source.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Time } from '../../parts/values.tsx'
import { whenSlow } from '../../parts/when-slow.ts'
import { isKnownJob, JOB_NAMES } from './job-names.ts'

const STATES: JobState[] = ['queued', 'running', 'done', 'failed', 'cancelled']
const COLORS: Record<JobState, string> = {
  queued: 'default',
  running: 'processing',
  done: 'green',
  failed: 'red',
  cancelled: 'orange',
}
const ASK_MS = 3_000

export function JobsPage() {
  const { t } = useTranslation()
  const { state, name } = useSearch({ from: '/shell/signed-in/jobs' })
  const filter = useFilters()
  const every = useLivePace(ASK_MS)
  const list = useList<Job>({ path: '/jobs', query: { state, name }, every })
  return (
    <div className="page">
      <PageHead title={t('nav.jobs')} />
      <div className="filters">
        <Select
          allowClear
          value={state ?? null}
          placeholder={t('jobs.anyState')}
          aria-label={t('jobs.state')}
          style={{ minWidth: 160 }}
          options={STATES.map((value) => ({ value, label: t(`jobs.states.${value}`) }))}
          onChange={(value) => void filter({ state: value ?? undefined })}
        />
        <Select
          allowClear
          showSearch={{ optionFilterProp: 'label' }}
          value={name ?? null}
          placeholder={t('jobs.anyKind')}
          aria-label={t('jobs.job')}
          style={{ minWidth: 300 }}
          options={Object.entries(JOB_NAMES).map(([value, text]) => ({
            value,
            label: t(`jobs.names.${text}`),
          }))}
          onChange={(value: string | null) => void filter({ name: value ?? undefined })}
        />
      </div>
      <List
        list={list}
        label={t('nav.jobs')}
        rowKey={({ id }) => id}
        filtered={state !== undefined || name !== undefined}
        empty={t('jobs.none')}
        expandable={{
          expandedRowRender: (job) => (
            <Source
              text={[
                job.error,
                JSON.stringify({ payload: job.payload, progress: job.progress }, null, 2),
              ]
                .filter(Boolean)
                .join('\n\n')}
            />
          ),
        }}
        columns={[
          {
            title: t('jobs.job'),
            key: 'name',
            render: (_, job) => (
              <>
                {isKnownJob(job.name) && <div>{t(`jobs.names.${JOB_NAMES[job.name]}`)}</div>}
                <span className={isKnownJob(job.name) ? 'cell-note mono' : 'mono'}>{job.name}</span>
                {job.error && (
                  <div className="cell-note">
                    <ServerSaid text={job.error.slice(0, 200)} says={job.errorSays} />
                  </div>
                )}
              </>
            ),
          },
          {
            title: t('jobs.state'),
            key: 'state',
            render: (_, job) => (
              <>
                <Tag color={COLORS[job.state]}>{t(`jobs.states.${job.state}`)}</Tag>
                <JobProgress progress={job.progress} />
              </>
            ),
          },
          {
            title: t('jobs.attempts'),
            key: 'attempts',
            align: 'right',
            render: (_, job) => `${job.attempts} / ${job.maxAttempts}`,
          },
          {
            title: t('common.created'),
            key: 'at',
            render: (_, job) => <Time at={job.createdAt} />,
          },
          { title: t('jobs.took'), key: 'took', render: (_, job) => <Took job={job} /> },
        ]}
        actions={(job) => <JobActions job={job} />}
      />
    </div>
  )
}

function Took({ job }: { job: Job }) {
  const format = useFormat()
  // One that waits to run again has begun, but takes no time.
  if (job.startedAt === null || job.state === 'queued') return '–'
  return format.duration((job.finishedAt ?? Date.now()) - job.startedAt)
}

/** Jobs that count say so as `{ done, total }`. */
function JobProgress({ progress }: { progress: unknown }) {
  if (typeof progress !== 'object' || progress === null) return null
  const { done, total } = progress as { done?: unknown; total?: unknown }
  if (typeof done !== 'number' || typeof total !== 'number' || total <= 0) return null
  return <Progress percent={Math.round((done / total) * 100)} size="small" />
}

function JobActions({ job }: { job: Job }) {
  const { t } = useTranslation()
  const change = useAct({
    act: (verb: 'cancel' | 'retry') => post(`/jobs/${job.id}/${verb}`),
    renews: [['/jobs'], ['/overview']],
  })
  if (job.state === 'queued' || job.state === 'running') {
    return (
      <Button
        disabled={job.cancelRequested}
        loading={whenSlow(change.isPending)}
        onClick={() => change.mutate('cancel')}
      >
        {job.cancelRequested ? t('jobs.ending') : t('jobs.cancel')}
      </Button>
    )
  }
  if (job.state === 'done') return null
  return (
    <Button loading={whenSlow(change.isPending)} onClick={() => change.mutate('retry')}>
      {t('jobs.retry')}
    </Button>
  )
}
