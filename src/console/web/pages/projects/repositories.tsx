import { Link, useParams, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { path } from '../../api/client.ts'
import type { Repository } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { Size, Time } from '../../parts/values.tsx'
import { PushHint } from './push-hint.tsx'

export function RepositoriesPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const { project } = useParams({ from: '/shell/projects/$project/' })
  const { name } = useSearch({ from: '/shell/projects/$project/' })
  const filter = useFilters()
  const list = useList<Repository>({
    path: path`/projects/${project}/repositories`,
    query: { nameHas: name },
  })
  return (
    <>
      <div className="filters">
        <SearchBox
          value={name}
          label={t('repositories.search')}
          onSearch={(text) => void filter({ name: text })}
        />
      </div>
      <List
        list={list}
        label={t('projects.repositories')}
        rowKey={({ id }) => id}
        filtered={name !== undefined}
        empty={<PushHint project={project} />}
        columns={[
          {
            title: t('repositories.name'),
            key: 'name',
            render: (_, repository) => (
              <>
                <Link
                  to="/projects/$project/repositories/$repository"
                  params={{ project, repository: repository.name }}
                >
                  {repository.name}
                </Link>
                {repository.summary && <div className="cell-note">{repository.summary}</div>}
              </>
            ),
          },
          {
            title: t('repositories.tags'),
            key: 'tags',
            align: 'right',
            render: (_, repository) => format.number(repository.tagCount),
          },
          {
            title: t('repositories.manifests'),
            key: 'manifests',
            align: 'right',
            responsive: ['md'],
            render: (_, repository) => format.number(repository.artifactCount),
          },
          {
            title: t('common.size'),
            key: 'size',
            align: 'right',
            render: (_, repository) => <Size bytes={repository.logicalBytes} />,
          },
          {
            title: t('common.created'),
            key: 'created',
            responsive: ['md'],
            render: (_, repository) => <Time at={repository.createdAt} />,
          },
        ]}
      />
    </>
  )
}
