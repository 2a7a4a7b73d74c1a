import { Link } from '@tanstack/react-router'
import { Card } from 'antd'
import { useTranslation } from 'react-i18next'
import { path } from '../../api/client.ts'
import type { ImageSync, Registry } from '../../api/hub.ts'
import { useFormat } from '../../format.ts'
import { useLivePace } from '../../live/live.ts'
import { List, useList } from '../../parts/list.tsx'
import { ServerSaid } from '../../parts/server-said.tsx'
import { Time } from '../../parts/values.tsx'
import { useSession } from '../../session.ts'
import { SyncFailures, SyncNow, SyncProgress, SyncTag } from '../inventory/sync-state.tsx'
import { SyncSchedule } from './sync-schedule.tsx'

const ASK_MS = 2_000

/** When a registry is read, how that went, and what could not be read. */
export function Syncs({ registry }: { registry: Registry }) {
  const { t } = useTranslation()
  const isAdmin = useSession().account?.admin === true
  const format = useFormat()
  const every = useLivePace(ASK_MS)
  const list = useList<ImageSync>({ path: path`/registries/${registry.id}/syncs`, every })
  const [newest] = list.data?.items ?? []
  return (
    <>
      <div className="columns" style={{ marginBottom: 16 }}>
        <Card title={t('inventory.images')}>
          <p>
            {t('inventory.found', { count: registry.imageCount })} ·{' '}
            <Link to="/inventory" search={{ registry: registry.id }}>
              {t('inventory.show')}
            </Link>
          </p>
          <p className="cell-note">
            {t('inventory.lastSync')} <Time at={registry.latestSyncAt} />
          </p>
          {isAdmin && <SyncNow registry={registry} busy={newest?.finishedAt === null} />}
        </Card>
        <Card title={t('inventory.schedule')}>
          <SyncSchedule key={registry.id} registry={registry} mayChange={isAdmin} />
        </Card>
      </div>
      <List
        list={list}
        label={t('inventory.syncs')}
        rowKey={({ id }) => id}
        empty={t('inventory.never')}
        expandable={{
          rowExpandable: (sync) => sync.failures.length > 0 || Boolean(sync.error ?? sync.note),
          expandedRowRender: (sync) => (
            <>
              {sync.note && (
                <div className="cell-note">
                  {t('inventory.byPlainApi')} <ServerSaid text={sync.note} says={sync.noteSays} />
                </div>
              )}
              <SyncFailures sync={sync} />
            </>
          ),
        }}
        columns={[
          {
            title: t('jobs.state'),
            key: 'state',
            render: (_, sync) => (
              <div style={{ minWidth: 180 }}>
                <SyncTag state={sync.state} />
                <SyncProgress sync={sync} />
              </div>
            ),
          },
          {
            title: t('inventory.trigger'),
            key: 'trigger',
            render: (_, sync) => t(`inventory.triggers.${sync.trigger}`),
          },
          {
            title: t('projects.repositories'),
            key: 'repositories',
            align: 'right',
            render: (_, sync) => format.number(sync.repositoriesDone),
          },
          {
            title: t('inventory.failedOnes'),
            key: 'failed',
            align: 'right',
            render: (_, sync) => format.number(sync.repositoriesFailed),
          },
          {
            title: t('inventory.images'),
            key: 'images',
            align: 'right',
            render: (_, sync) => format.number(sync.images),
          },
          {
            title: t('common.created'),
            key: 'at',
            render: (_, sync) => <Time at={sync.createdAt} />,
          },
          {
            title: t('jobs.took'),
            key: 'took',
            render: (_, { startedAt, finishedAt }) =>
              startedAt === null || finishedAt === null
                ? '–'
                : format.duration(finishedAt - startedAt),
          },
        ]}
      />
    </>
  )
}
