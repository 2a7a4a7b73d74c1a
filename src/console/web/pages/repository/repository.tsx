import { Link, Outlet, useLocation, useNavigate, useParams } from '@tanstack/react-router'
import { Button, Tabs } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { remove } from '../../api/client.ts'
import { useFormat } from '../../format.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { NotReadYet } from '../../parts/not-read-yet.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Size } from '../../parts/values.tsx'
import { useHasRole } from '../projects/use-project.ts'
import { useHasCharts } from './use-charts.ts'
import { repositoryPath, useRepository } from './use-repository.ts'

const ROUTE = '/projects/$project/repositories/$repository'

/** What all pages of a repository have above them. */
export function RepositoryPage() {
  const { t } = useTranslation()
  const format = useFormat()
  const address = useParams({ from: `/shell${ROUTE}` })
  const { data: repository, error, refetch } = useRepository(address)
  const hasCharts = useHasCharts(address)
  const mayDelete = useHasRole(address.project, 'maintainer')
  const [removing, setRemoving] = useState(false)
  const navigate = useNavigate()
  const { pathname } = useLocation()
  const drop = useAct({
    act: () => remove(repositoryPath(address)),
    done: t('repositories.deleted'),
    quiet: true,
    onDone: () => void navigate({ to: '/projects/$project', params: address }),
  })

  if (!repository) return <NotReadYet error={error} refetch={refetch} />
  const full = `${address.project}/${address.repository}`
  const tabs = [
    { key: '', label: t('repositories.tags') },
    ...(hasCharts ? [{ key: 'charts', label: t('charts.title') }] : []),
    { key: 'artifacts', label: t('artifacts.all') },
    { key: 'compare', label: t('compare.title') },
    { key: 'about', label: t('repositories.about') },
  ]
  return (
    <div className="page">
      <PageHead
        title={full}
        shown={address.repository}
        path={[
          <Link key="projects" to="/projects">
            {t('nav.projects')}
          </Link>,
          <Link key="project" to="/projects/$project" params={address}>
            {address.project}
          </Link>,
        ]}
        actions={
          mayDelete && (
            <Button danger onClick={() => setRemoving(true)}>
              {t('repositories.delete')}
            </Button>
          )
        }
      >
        <p className="under-title">
          {repository.summary && <>{repository.summary} · </>}
          {t('repositories.figures', { tags: format.number(repository.tagCount) })} ·{' '}
          <Size bytes={repository.logicalBytes} />
        </p>
      </PageHead>
      <Tabs
        activeKey={pathname.split('/')[5] ?? ''}
        items={tabs}
        onChange={(key) =>
          void navigate({
            to: key === '' ? ROUTE : (`${ROUTE}/${key}` as `${typeof ROUTE}/about`),
            params: address,
          })
        }
      />
      <Outlet />
      <ConfirmRemoval
        open={removing}
        title={t('repositories.delete')}
        name={address.repository}
        busy={drop.isPending}
        error={drop.error}
        onConfirm={() => drop.mutate()}
        onClose={() => {
          drop.reset()
          setRemoving(false)
        }}
      >
        {t('repositories.deleteText', {
          name: full,
          tags: format.number(repository.tagCount),
          manifests: format.number(repository.artifactCount),
          size: format.bytes(repository.logicalBytes),
        })}
      </ConfirmRemoval>
    </div>
  )
}
