import { DownloadOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Button, DatePicker, Input, Select } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get } from '../../api/client.ts'
import type { AuditEntry, Page, User } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { Time } from '../../parts/values.tsx'
import { whenSlow } from '../../parts/when-slow.ts'
import { exportAudit } from './audit-export.ts'

const ROUTE = '/shell/signed-in/audit'

export function AuditPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const { after: _, ...query } = useSearch({ from: ROUTE })
  const list = useList<AuditEntry>({ path: '/audit', query })
  const [exporting, setExporting] = useState<number>()
  const [failure, setFailure] = useState<unknown>()

  async function save() {
    setFailure(undefined)
    setExporting(0)
    try {
      await exportAudit(query, setExporting)
    } catch (error) {
      setFailure(error)
    } finally {
      setExporting(undefined)
    }
  }
  return (
    <div className="page">
      <PageHead
        title={t('nav.audit')}
        actions={
          <Button
            icon={<DownloadOutlined />}
            loading={whenSlow(exporting !== undefined)}
            onClick={() => void save()}
          >
            {exporting ? t('audit.exported', { count: exporting }) : t('audit.export')}
          </Button>
        }
      />
      {failure !== undefined && <ErrorView error={failure} />}
      <Filters />
      <List
        list={list}
        label={t('nav.audit')}
        rowKey={({ id }) => id}
        filtered={Object.keys(query).length > 0}
        empty={t('audit.none')}
        columns={[
          { title: t('audit.time'), key: 'at', render: (_, entry) => <Time at={entry.at} /> },
          { title: t('audit.account'), key: 'who', render: (_, entry) => entry.accountName },
          {
            title: t('audit.action'),
            key: 'action',
            render: (_, entry) => <span className="mono">{entry.action}</span>,
          },
          {
            title: t('audit.resource'),
            key: 'resource',
            render: (_, entry) => (
              <div style={{ minWidth: 200 }}>
                <span className="mono">{entry.resource}</span>
                {shownDetails(entry.details).map(([name, value]) => (
                  <div key={name} className="cell-note">
                    {name}: {showDetail(value, format.number)}
                  </div>
                ))}
              </div>
            ),
          },
          {
            title: t('audit.address'),
            key: 'address',
            render: (_, entry) => <span className="mono">{entry.address || '–'}</span>,
          },
          {
            title: t('problem.requestId'),
            key: 'request',
            responsive: ['xl'],
            render: (_, entry) => <span className="mono">{entry.requestId || '–'}</span>,
          },
        ]}
      />
    </div>
  )
}

/** Those that say something. */
function shownDetails(details: AuditEntry['details']) {
  return Object.entries(details).filter(([, value]) => value !== null && value !== '')
}

function showDetail(value: AuditEntry['details'][string], number: (value: number) => string) {
  return typeof value === 'number' ? number(value) : String(value)
}

function Filters() {
  const { t } = useTranslation()
  const filter = useFilters()
  const { account, action } = useSearch({ from: ROUTE })
  const [text, setText] = useState('')
  const query = { nameHas: text, limit: 50 }
  const users = useQuery({
    queryKey: ['/users', query],
    queryFn: ({ signal }) => get<Page<User>>('/users', query, signal),
  })
  return (
    <div className="filters">
      <Select
        allowClear
        showSearch={{ filterOption: false, onSearch: setText }}
        value={account ?? null}
        placeholder={t('audit.anybody')}
        aria-label={t('audit.account')}
        style={{ minWidth: 180 }}
        options={(users.data?.items ?? []).map(({ id, name }) => ({
          value: String(id),
          label: name,
        }))}
        onChange={(value) => void filter({ account: value ?? undefined })}
      />
      <Input.Search
        allowClear
        key={action ?? ''}
        defaultValue={action ?? ''}
        placeholder={t('audit.actionHint')}
        aria-label={t('audit.action')}
        style={{ maxWidth: 240 }}
        onSearch={(value) => void filter({ action: value || undefined })}
      />
      <DatePicker.RangePicker
        showTime
        aria-label={t('audit.time')}
        onChange={(range) =>
          void filter({
            since: range?.[0] ? String(range[0].valueOf()) : undefined,
            until: range?.[1] ? String(range[1].valueOf()) : undefined,
          })
        }
      />
    </div>
  )
}
