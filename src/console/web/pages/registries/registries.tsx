import { PlusOutlined } from '@ant-design/icons'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Button, Select, Space, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Registry } from '../../api/hub.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { useServerSaid } from '../../parts/server-said.tsx'
import { Time } from '../../parts/values.tsx'
import { useSession } from '../../session.ts'
import { HealthTag } from './health-tag.tsx'
import { MakeDefault } from './make-default.tsx'
import { PROVIDERS } from './providers.ts'
import { RemoveRegistry } from './remove-registry.tsx'

export function RegistriesPage() {
  const { t } = useTranslation()
  const { name, provider } = useSearch({ from: '/shell/signed-in/registries' })
  const isAdmin = useSession().account?.admin === true
  const filter = useFilters()
  const say = useServerSaid()
  const navigate = useNavigate()
  const list = useList<Registry>({ path: '/registries', query: { nameHas: name, provider } })
  const [leaving, setLeaving] = useState<Registry>()
  return (
    <div className="page">
      <PageHead
        title={t('hub.title')}
        actions={
          isAdmin && (
            <Button
              type="primary"
              icon={<PlusOutlined />}
              onClick={() => void navigate({ to: '/registries/new' })}
            >
              {t('hub.add')}
            </Button>
          )
        }
      >
        <p className="cell-note">{t('hub.intro')}</p>
      </PageHead>
      <div className="filters">
        <SearchBox
          value={name}
          label={t('hub.search')}
          onSearch={(text) => void filter({ name: text })}
        />
        <Select
          allowClear
          value={provider ?? null}
          placeholder={t('hub.anyProvider')}
          aria-label={t('hub.provider')}
          style={{ minWidth: 220 }}
          options={PROVIDERS.map((value) => ({ value, label: t(`hub.providers.${value}`) }))}
          onChange={(value: string | null) => void filter({ provider: value ?? undefined })}
        />
      </div>
      <List
        list={list}
        label={t('hub.title')}
        rowKey={({ id }) => id}
        filtered={name !== undefined || provider !== undefined}
        empty={isAdmin ? t('hub.none') : t('hub.noneForYou')}
        columns={[
          { title: t('hub.name'), key: 'name', render: (_, row) => <Name registry={row} /> },
          {
            title: t('hub.provider'),
            key: 'provider',
            // What fails is what one looks for on the way.
            responsive: ['md'],
            render: (_, row) => t(`hub.providers.${row.provider}`),
          },
          {
            title: t('hub.health.label'),
            key: 'health',
            render: (_, row) => (
              <div style={{ maxWidth: 210, whiteSpace: 'normal' }}>
                <Space size={6}>
                  <HealthTag health={row.health} />
                  <span className="cell-note" title={t('hub.checked')}>
                    <Time at={row.checkedAt} />
                  </span>
                </Space>
                {row.healthReason && (
                  <div className="cell-note three-lines" title={row.healthReason}>
                    {say({ text: row.healthReason, says: row.healthSays })}
                  </div>
                )}
              </div>
            ),
          },
          {
            title: t('hub.scope'),
            key: 'scope',
            render: (_, row) => row.projects?.join(', ') ?? t('hub.allProjects'),
          },
        ]}
        actions={
          isAdmin ? (row) => <Actions registry={row} onRemove={() => setLeaving(row)} /> : undefined
        }
      />
      <RemoveRegistry registry={leaving} onClose={() => setLeaving(undefined)} />
    </div>
  )
}

function Name({ registry: { id, name, address, isDefault } }: { registry: Registry }) {
  const { t } = useTranslation()
  return (
    <div style={{ minWidth: 160, maxWidth: 270, whiteSpace: 'normal' }}>
      <Space size={6}>
        <Link to="/registries/$registry" params={{ registry: id }}>
          {name}
        </Link>
        {isDefault && <Tag color="blue">{t('hub.default')}</Tag>}
      </Space>
      <div className="cell-note">{address}</div>
    </div>
  )
}

function Actions({ registry, onRemove }: { registry: Registry; onRemove: () => void }) {
  const { t } = useTranslation()
  return (
    <Space size={6}>
      {!registry.isDefault && <MakeDefault registry={registry} inRow />}
      <Link to="/registries/$registry/edit" params={{ registry: registry.id }}>
        {t('common.edit')}
      </Link>
      <Button danger type="text" size="small" onClick={onRemove}>
        {t('common.delete')}
      </Button>
    </Space>
  )
}
