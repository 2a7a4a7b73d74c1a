import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Checkbox, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { get, path } from '../../api/client.ts'
import type { Counted, Registry, RegistryImage } from '../../api/hub.ts'
import type { Page } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { DigestText, Size, Time } from '../../parts/values.tsx'
import { ImageName, ImageParts, Platforms } from './image-parts.tsx'
import { SyncState } from './sync-state.tsx'

const ROUTE = '/shell/signed-in/inventory'
const MIB = 1_048_576
/** Least and most bytes, as they stand in the address. */
const SIZES: Record<string, { minSize?: number; maxSize?: number }> = {
  small: { maxSize: 50 * MIB },
  medium: { minSize: 50 * MIB, maxSize: 250 * MIB },
  large: { minSize: 250 * MIB, maxSize: 1_024 * MIB },
  huge: { minSize: 1_024 * MIB },
}
const PLATFORMS = [
  'linux/amd64',
  'linux/arm64',
  'linux/arm/v7',
  'linux/386',
  'linux/ppc64le',
  'linux/s390x',
  'linux/riscv64',
  'windows/amd64',
]

const FOUND = {
  exact: 'inventory.found',
  about: 'inventory.foundAbout',
  atLeast: 'inventory.foundAtLeast',
} as const

export function InventoryPage() {
  const { t } = useTranslation()
  const { registry, search, digest, size, platform, kind, gone } = useSearch({ from: ROUTE })
  const filter = useFilters()
  const registries = useRegistries()
  const isGone = gone === 'true'
  const list = useList<RegistryImage>({
    path: registry === undefined ? '/images' : path`/registries/${registry}/images`,
    query: {
      search,
      digest,
      platform,
      ...(size === undefined ? {} : SIZES[size]),
      multiarch: kind === undefined ? undefined : kind === 'multi',
      gone: isGone || undefined,
    },
  })
  const { total, totalIs = 'exact' } = (list.data ?? {}) as Partial<Counted>
  const chosen = registries.find(({ id }) => id === registry)
  const filters = [registry, search, digest, size, platform, kind, gone]
  return (
    <div className="page">
      <PageHead title={t('inventory.title')}>
        <p className="cell-note">{t('inventory.intro')}</p>
      </PageHead>
      <div className="filters">
        <SearchBox
          value={search}
          label={t('inventory.search')}
          onSearch={(text) => void filter({ search: text })}
        />
        <Select
          allowClear
          value={registry ?? null}
          placeholder={t('inventory.anyRegistry')}
          aria-label={t('inventory.registry')}
          showSearch={{ optionFilterProp: 'label' }}
          style={{ minWidth: 180 }}
          options={registries.map(({ id, name }) => ({ value: id, label: name }))}
          onChange={(value: string | null) => void filter({ registry: value ?? undefined })}
        />
        <Select
          allowClear
          value={platform ?? null}
          placeholder={t('inventory.anyPlatform')}
          aria-label={t('artifacts.platform')}
          style={{ minWidth: 160 }}
          options={PLATFORMS.map((value) => ({ value, label: value }))}
          onChange={(value: string | null) => void filter({ platform: value ?? undefined })}
        />
        <SizeFilter value={size} onChange={(value) => void filter({ size: value })} />
        <Select
          allowClear
          value={kind ?? null}
          placeholder={t('inventory.anyKind')}
          aria-label={t('inventory.kind')}
          style={{ minWidth: 160 }}
          options={[
            { value: 'multi', label: t('inventory.multi') },
            { value: 'single', label: t('inventory.single') },
          ]}
          onChange={(value: string | null) => void filter({ kind: value ?? undefined })}
        />
        <SearchBox
          value={digest}
          label={t('inventory.digest')}
          onSearch={(text) => void filter({ digest: text?.trim() })}
        />
        <Checkbox
          checked={isGone}
          style={{ alignItems: 'center' }}
          onChange={({ target }) => void filter({ gone: target.checked ? 'true' : undefined })}
        >
          {t('inventory.gone')}
        </Checkbox>
      </div>
      {chosen && <SyncState registry={chosen} />}
      {total !== undefined && (
        <p className="cell-note" role="status">
          {t(FOUND[totalIs], { count: total })}
        </p>
      )}
      <List
        list={list}
        label={t('inventory.title')}
        rowKey={({ id }) => id}
        filtered={filters.some((value) => value !== undefined)}
        empty={t('inventory.none')}
        expandable={{
          rowExpandable: ({ children }) => children.length > 0,
          expandedRowRender: (image) => <ImageParts image={image} />,
        }}
        columns={[
          {
            title: t('inventory.image'),
            key: 'image',
            render: (_, row) => <ImageName image={row} />,
          },
          {
            title: t('artifacts.digest'),
            key: 'digest',
            render: (_, row) => <DigestText digest={row.digest} />,
          },
          {
            title: t('artifacts.platforms'),
            key: 'platforms',
            render: (_, row) => <Platforms image={row} />,
          },
          {
            title: t('common.size'),
            key: 'size',
            align: 'right',
            render: (_, row) => <Size bytes={row.size} />,
          },
          {
            title: t('inventory.updated'),
            key: 'updated',
            render: (_, row) => <Time at={row.pushedAt ?? row.updatedAt} />,
          },
          {
            title: isGone ? t('inventory.goneSince') : t('inventory.seen'),
            key: 'seen',
            render: (_, row) => <Time at={row.goneAt ?? row.syncedAt} />,
          },
        ]}
      />
    </div>
  )
}

function SizeFilter(props: { value: string | undefined; onChange: (value?: string) => void }) {
  const { value, onChange } = props
  const { t } = useTranslation()
  const format = useFormat()
  const label = ({ minSize, maxSize }: { minSize?: number; maxSize?: number }) =>
    minSize === undefined
      ? `≤ ${format.bytes(maxSize ?? 0)}`
      : maxSize === undefined
        ? `≥ ${format.bytes(minSize)}`
        : `${format.bytes(minSize)} – ${format.bytes(maxSize)}`
  return (
    <Select
      allowClear
      value={value ?? null}
      placeholder={t('inventory.anySize')}
      aria-label={t('common.size')}
      style={{ minWidth: 160 }}
      options={Object.entries(SIZES).map(([key, range]) => ({ value: key, label: label(range) }))}
      onChange={(chosen: string | null) => onChange(chosen ?? undefined)}
    />
  )
}

function useRegistries(): Registry[] {
  const query = { limit: 1_000 }
  const { data } = useQuery({
    queryKey: ['/registries', query],
    queryFn: ({ signal }) => get<Page<Registry>>('/registries', query, signal),
  })
  return data?.items ?? []
}
