import { useQueryClient } from '@tanstack/react-query'
import { type ErrorComponentProps, Link, useLocation, useRouter } from '@tanstack/react-router'
import { Button, Spin } from 'antd'
import { useTranslation } from 'react-i18next'
import { ErrorView } from '../parts/error-view.tsx'

/* What is shown in place of a page. */

export function PendingPage() {
  const { t } = useTranslation()
  return (
    <div className="page" role="status" aria-label={t('common.loading')}>
      <Spin />
    </div>
  )
}

export function FailedPage({ error }: ErrorComponentProps) {
  const router = useRouter()
  const queries = useQueryClient()
  const again = async () => {
    await queries.resetQueries()
    await router.invalidate()
  }
  return (
    <div className="page">
      <ErrorView error={error} onRetry={again} />
    </div>
  )
}

export function MissingPage() {
  const { t } = useTranslation()
  const { pathname } = useLocation()
  return (
    <div className="page">
      <div className="page-head">
        <div className="page-head-text">
          <h1>{t('common.noPage')}</h1>
          <p className="mono">{pathname}</p>
        </div>
      </div>
      <Link to="/projects">
        <Button type="primary">{t('nav.projects')}</Button>
      </Link>
    </div>
  )
}
