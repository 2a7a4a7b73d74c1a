import { Link } from '@tanstack/react-router'
import { Alert, Button } from 'antd'
import { useTranslation } from 'react-i18next'

/** Where nothing was pushed yet, the way to the first image is the news. */
export function Beginning() {
  const { t } = useTranslation()
  return (
    <Alert
      type="info"
      showIcon
      style={{ marginBottom: 16 }}
      title={t('overview.empty')}
      action={
        <Link to="/start">
          <Button type="primary">{t('nav.start')}</Button>
        </Link>
      }
    />
  )
}
