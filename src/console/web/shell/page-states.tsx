import { useQueryClient } from '@tanstack/react-query'
import { type ErrorComponentProps, Link, useLocation, useRouter } from '@tanstack/react-router'
import { Button, Space, Spin } from 'antd'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { ErrorView, useSay } from '../parts/error-view.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { useSession } from '../session.ts'

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
  const { title } = useSay()(error)
  useEffect(() => {
    document.title = `${title} · Entrepot`
  }, [title])
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
  const { account } = useSession()
  return (
    <div className="page">
      <PageHead title={t('common.noPage')}>
        <p className="under-title mono broken">{pathname}</p>
      </PageHead>
      <p>{t('common.noPageHint')}</p>
      <Space wrap>
        {account && (
          <Link to="/">
            <Button type="primary">{t('nav.overview')}</Button>
          </Link>
        )}
        <Link to="/projects">
          <Button type={account ? 'default' : 'primary'}>{t('nav.projects')}</Button>
        </Link>
      </Space>
    </div>
  )
}
