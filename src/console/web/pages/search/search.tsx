import { useSearch } from '@tanstack/react-router'
import { Empty, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Found } from '../../api/types.ts'
import { FoundLink, fullName } from '../../parts/found-link.tsx'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { SearchBox } from '../../parts/search-box.tsx'

const COLORS = { project: 'default', repository: 'blue', chart: 'geekblue' } as const

/** Everything that has a text in its name. */
export function SearchPage() {
  const { t } = useTranslation()
  const { q = '' } = useSearch({ from: '/shell/search' })
  const filter = useFilters()
  return (
    <div className="page">
      <PageHead title={t('search.title')} />
      <div className="filters">
        <SearchBox
          value={q}
          autoFocus={q === ''}
          label={t('search.hint')}
          onSearch={(text) => void filter({ q: text })}
        />
      </div>
      {q.trim() === '' ? (
        <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('search.type')} />
      ) : (
        <Results text={q} />
      )}
    </div>
  )
}

function Results({ text }: { text: string }) {
  const { t } = useTranslation()
  const list = useList<Found>({ path: '/search', query: { q: text } })
  return (
    <List
      list={list}
      label={t('search.title')}
      rowKey={({ kind, id }) => `${kind} ${id}`}
      empty={t('search.nothing', { text })}
      columns={[
        {
          title: t('members.name'),
          key: 'name',
          render: (_, found) => (
            <>
              <FoundLink found={found}>
                <Marked text={fullName(found)} part={text} />
              </FoundLink>
              {found.summary && <div className="cell-note">{found.summary}</div>}
            </>
          ),
        },
        {
          title: t('artifacts.kind'),
          key: 'kind',
          width: 140,
          render: (_, { kind }) => <Tag color={COLORS[kind]}>{t(`search.kinds.${kind}`)}</Tag>,
        },
      ]}
    />
  )
}

/** A name with the part that was looked for. */
function Marked({ text, part }: { text: string; part: string }) {
  const at = text.toLowerCase().indexOf(part.trim().toLowerCase())
  if (at < 0 || part.trim() === '') return <>{text}</>
  const end = at + part.trim().length
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </>
  )
}
