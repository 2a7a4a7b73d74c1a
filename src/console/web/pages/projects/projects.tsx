import { PlusOutlined } from '@ant-design/icons'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Button, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ListedProject } from '../../api/types.ts'
import { useFormat } from '../../format.ts'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { Size, Time } from '../../parts/values.tsx'
import { useSession } from '../../session.ts'
import { NewProject } from './new-project.tsx'
import { QuotaUse } from './quota-use.tsx'

export function ProjectsPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const { mayCreateProjects } = useSession()
  const { name } = useSearch({ from: '/shell/projects' })
  const filter = useFilters()
  const navigate = useNavigate()
  const [creating, setCreating] = useState(false)
  const list = useList<ListedProject>({ path: '/projects', query: { nameHas: name } })

  return (
    <div className="page">
      <PageHead
        title={t('nav.projects')}
        actions={
          mayCreateProjects && (
            <Button type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
              {t('projects.create')}
            </Button>
          )
        }
      />
      <div className="filters">
        <SearchBox
          value={name}
          label={t('projects.search')}
          onSearch={(text) => void filter({ name: text })}
        />
      </div>
      <List
        list={list}
        label={t('nav.projects')}
        rowKey={({ id }) => id}
        filtered={name !== undefined}
        empty={t('projects.none')}
        columns={[
          {
            title: t('projects.name'),
            key: 'name',
            render: (_, project) => (
              <>
                <Link to="/projects/$project" params={{ project: project.name }}>
                  {project.name}
                </Link>
                {project.description && (
                  <div className="cell-note">
                    {project.description.split('\n')[0]?.slice(0, 120)}
                  </div>
                )}
              </>
            ),
          },
          {
            title: t('projects.visibility'),
            key: 'public',
            render: (_, project) =>
              project.public ? (
                <Tag color="green">{t('projects.public')}</Tag>
              ) : (
                <Tag>{t('projects.private')}</Tag>
              ),
          },
          {
            title: t('projects.repositories'),
            key: 'repositories',
            align: 'right',
            render: (_, project) => format.number(project.repositoryCount),
          },
          {
            title: t('projects.storage'),
            key: 'usage',
            render: (_, project) => (
              <QuotaUse
                name={project.name}
                used={project.usage.uniqueBytes}
                quota={project.quota}
              />
            ),
          },
          {
            title: t('projects.logical'),
            key: 'logical',
            align: 'right',
            responsive: ['xl'],
            render: (_, project) => <Size bytes={project.usage.logicalBytes} />,
          },
          {
            title: t('common.created'),
            key: 'created',
            responsive: ['md'],
            render: (_, project) => <Time at={project.createdAt} />,
          },
        ]}
      />
      <NewProject
        open={creating}
        onClose={() => setCreating(false)}
        onCreated={(project) => void navigate({ to: '/projects/$project', params: { project } })}
      />
    </div>
  )
}
