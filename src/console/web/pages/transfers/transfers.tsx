import { Link, useSearch } from '@tanstack/react-router'
import { Select } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Transfer, TransferState } from '../../api/hub.ts'
import { useLivePace } from '../../live/live.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { useServerSaid } from '../../parts/server-said.tsx'
import { Size, Time } from '../../parts/values.tsx'
import { ProjectName } from '../registries/project-names.tsx'
import { TransferActions } from './transfer-actions.tsx'
import { TransferEnds } from './transfer-ends.tsx'
import { isOpen, Pace, StateTag, TransferProgress } from './transfer-state.tsx'

const STATES: TransferState[] = ['queued', 'running', 'done', 'failed', 'cancelled']
const ASK_MS = 3_000

export function TransfersPage() {
  const { t } = useTranslation()
  const { state, project } = useSearch({ from: '/shell/signed-in/transfers' })
  const filter = useFilters()
  const say = useServerSaid()
  const every = useLivePace(ASK_MS)
  const list = useList<Transfer>({ path: '/transfers', query: { state, project }, every })
  return (
    <div className="page">
      <PageHead title={t('transfers.title')}>
        <p className="cell-note">{t('transfers.intro')}</p>
      </PageHead>
      <div className="filters">
        <Select
          allowClear
          value={state ?? null}
          placeholder={t('transfers.anyState')}
          aria-label={t('transfers.state')}
          style={{ minWidth: 160 }}
          options={STATES.map((value) => ({ value, label: t(`transfers.states.${value}`) }))}
          onChange={(value: string | null) => void filter({ state: value ?? undefined })}
        />
        <ProjectName
          value={project}
          label={t('transfers.project')}
          placeholder={t('transfers.anyProject')}
          onChange={(name) => void filter({ project: name })}
        />
      </div>
      <List
        list={list}
        label={t('transfers.title')}
        rowKey={({ id }) => id}
        filtered={state !== undefined || project !== undefined}
        empty={t('transfers.none')}
        columns={[
          {
            title: t('transfers.transfer'),
            key: 'id',
            render: (_, row) => (
              <Link to="/transfers/$transfer" params={{ transfer: String(row.id) }}>
                {`#${row.id}`}
              </Link>
            ),
          },
          {
            title: t('transfers.what'),
            key: 'what',
            render: (_, row) => <TransferEnds transfer={row} />,
          },
          {
            title: t('transfers.state'),
            key: 'state',
            render: (_, row) => (
              <div style={{ width: 190, whiteSpace: 'normal' }}>
                <StateTag state={row.state} />
                {isOpen(row) && <TransferProgress transfer={row} />}
                <Pace transfer={row} />
                {row.error && (
                  <div className="cell-note three-lines" title={row.error.message}>
                    {say({ text: row.error.message, says: row.error.says })}
                  </div>
                )}
              </div>
            ),
          },
          {
            title: t('common.size'),
            key: 'size',
            align: 'right',
            render: (_, row) => (row.bytes.total === 0 ? '–' : <Size bytes={row.bytes.total} />),
          },
          {
            title: t('common.created'),
            key: 'at',
            render: (_, row) => (
              <>
                <Time at={row.createdAt} />
                <div className="cell-note">{row.requestedBy}</div>
              </>
            ),
          },
        ]}
        actions={(row) => <TransferActions transfer={row} />}
      />
    </div>
  )
}
