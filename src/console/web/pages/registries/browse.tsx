import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { Alert, Breadcrumb } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { get, path } from '../../api/client.ts'
import type { BrowsedNames } from '../../api/hub.ts'
import { List, useFilters } from '../../parts/list.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { RemoteImageView } from './remote-image.tsx'

const ROUTE = '/shell/signed-in/registries/$registry'

/** Repositories of a registry, the tags of one, what stands behind one tag. */
export function Browse({ id }: { id: string }) {
  const { t } = useTranslation()
  const { repository, reference } = useSearch({ from: ROUTE })
  const to = (title: string, search: { repository?: string; reference?: string }) => (
    <Link
      to="/registries/$registry"
      params={{ registry: id }}
      search={{ tab: 'browse', ...search }}
    >
      {title}
    </Link>
  )
  return (
    <>
      <Breadcrumb
        style={{ marginBottom: 12 }}
        items={[
          { title: to(t('projects.repositories'), {}) },
          ...(repository ? [{ title: to(repository, { repository }) }] : []),
          ...(repository && reference ? [{ title: reference }] : []),
        ]}
      />
      {repository === undefined ? (
        <Names
          address={path`/registries/${id}/repositories`}
          label={t('projects.repositories')}
          link={(name) => to(name, { repository: name })}
        />
      ) : reference === undefined ? (
        <Names
          address={path`/registries/${id}/tags`}
          repository={repository}
          label={t('repositories.tags')}
          link={(name) => to(name, { repository, reference: name })}
        />
      ) : (
        <RemoteImageView id={id} repository={repository} reference={reference} />
      )}
    </>
  )
}

function Names(props: {
  address: string
  repository?: string
  label: string
  link: (name: string) => ReactNode
}) {
  const { address, repository, label, link } = props
  const { t } = useTranslation()
  const { name, after } = useSearch({ from: ROUTE })
  const filter = useFilters()
  const query = { repository, nameHas: name, after, limit: 50 }
  const list = useQuery({
    queryKey: [address, query],
    queryFn: ({ signal }) => get<BrowsedNames>(address, query, signal),
    placeholderData: keepPreviousData,
    retry: false,
  })
  return (
    <>
      <div className="filters">
        <SearchBox
          value={name}
          label={t('hub.browse.search')}
          onSearch={(text) => void filter({ name: text })}
        />
      </div>
      {list.data?.complete === false && <Alert type="info" title={t('hub.browse.incomplete')} />}
      <List
        list={list}
        label={label}
        rowKey={(row) => row.name}
        filtered={name !== undefined}
        empty={t('hub.browse.none')}
        columns={[{ title: label, key: 'name', render: (_, row) => link(row.name) }]}
      />
    </>
  )
}
