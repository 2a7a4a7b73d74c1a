import { Link, Outlet, useLocation, useNavigate, useParams } from '@tanstack/react-router'
import { Tabs, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import { NotReadYet } from '../../parts/not-read-yet.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { QuotaUse } from './quota-use.tsx'
import { useHasRole, useProject } from './use-project.ts'

/** What all pages of a project have above them. */
export function ProjectPage() {
  const { t } = useTranslation()
  const { project: name } = useParams({ from: '/shell/projects/$project' })
  const { data: project, error, refetch } = useProject(name)
  const isMember = useHasRole(name, 'guest')
  const isAdmin = useHasRole(name, 'admin')
  const { pathname } = useLocation()
  const navigate = useNavigate()

  if (!project) return <NotReadYet error={error} refetch={refetch} />
  const tabs = [
    { key: '', label: t('projects.repositories') },
    { key: 'usage', label: t('usage.title') },
    ...(isMember ? [{ key: 'members', label: t('projects.members') }] : []),
    ...(isAdmin
      ? [
          { key: 'robots', label: t('projects.robots') },
          { key: 'settings', label: t('projects.settings') },
        ]
      : []),
  ]
  const chosen = pathname.split('/')[3] ?? ''
  return (
    <div className="page">
      <PageHead
        title={project.name}
        path={[
          <Link key="projects" to="/projects">
            {t('nav.projects')}
          </Link>,
        ]}
        shown={
          <>
            {project.name}{' '}
            <Tag color={project.public ? 'green' : 'default'} style={{ verticalAlign: 'middle' }}>
              {project.public ? t('projects.public') : t('projects.private')}
            </Tag>
          </>
        }
        actions={
          <div>
            <div className="cell-note">{t('projects.storage')}</div>
            <QuotaUse name={project.name} used={project.usage.uniqueBytes} quota={project.quota} />
          </div>
        }
      >
        {project.description && <p className="under-title lines">{project.description}</p>}
      </PageHead>
      <Tabs
        activeKey={chosen}
        items={tabs}
        onChange={(key) =>
          void navigate({
            to:
              key === ''
                ? '/projects/$project'
                : (`/projects/$project/${key}` as '/projects/$project/members'),
            params: { project: name },
          })
        }
      />
      <Outlet />
    </div>
  )
}
