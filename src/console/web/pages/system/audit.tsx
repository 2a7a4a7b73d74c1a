import { DownloadOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Button, Input, Select } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get } from '../../api/client.ts'
import type { AuditEntry, Page, User } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { Shortened, Time } from '../../parts/values.tsx'
import { whenSlow } from '../../parts/when-slow.ts'
import { sayDetails } from './audit-details.ts'
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
          {
            title: t('audit.time'),
            key: 'at',
            render: (_, { at, accountName }) => (
              <>
                <Time at={at} />
                <div className="cell-note nowrap wide-only">{format.dateTime(at)}</div>
                <div className="narrow-only">{accountName}</div>
              </>
            ),
          },
          {
            title: t('audit.account'),
            key: 'who',
            responsive: ['sm'],
            render: (_, entry) => entry.accountName,
          },
          {
            title: t('audit.action'),
            key: 'action',
            render: (_, entry) => (
              <>
                <span className="mono">{entry.action}</span>
                <div className="narrow-only">
                  <Subject entry={entry} />
                </div>
              </>
            ),
          },
          {
            title: t('audit.resource'),
            key: 'resource',
            responsive: ['sm'],
            render: (_, entry) => <Subject entry={entry} />,
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
            render: (_, { requestId }) => (requestId ? <Shortened text={requestId} /> : '–'),
          },
        ]}
      />
    </div>
  )
}

function Subject({ entry }: { entry: AuditEntry }) {
  const { t } = useTranslation()
  const format = useFormat()
  return (
    <div className="audit-subject">
      <span className="mono">{entry.resource}</span>
      <div className="cell-note">{sayDetails(entry.details, t, format)}</div>
    </div>
  )
}

const TIMES = ['since', 'until'] as const

/** Epoch milliseconds as the browser's field has them: in the reader's zone, by the minute. */
function toField(at: string | undefined): string {
  const ms = Number(at)
  const date = new Date(ms)
  if (at === undefined || Number.isNaN(date.getTime())) return ''
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

/** undefined: nothing, or not all of a time, was entered. */
function fromField(text: string): string | undefined {
  const ms = new Date(text).getTime()
  return Number.isNaN(ms) ? undefined : String(ms)
}

function Filters() {
  const { t } = useTranslation()
  const filter = useFilters()
  const search = useSearch({ from: ROUTE })
  const { account, action } = search
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
        style={{ maxWidth: 290 }}
        onSearch={(value) => void filter({ action: value || undefined })}
      />
      {TIMES.map((name) => (
        <span key={name} className="time-filter">
          <label htmlFor={`audit-${name}`}>{t(`audit.${name}`)}</label>
          <Input
            id={`audit-${name}`}
            type="datetime-local"
            key={search[name] ?? ''}
            defaultValue={toField(search[name])}
            onBlur={({ target }) => {
              const time = fromField(target.value)
              if (time !== search[name]) void filter({ [name]: time })
            }}
            onPressEnter={({ currentTarget }) => currentTarget.blur()}
          />
        </span>
      ))}
      <span className="cell-note">
        {t('audit.zone', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC' })}
      </span>
    </div>
  )
}
