import { Alert, App } from 'antd'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { useConnection } from './live.ts'

/** Says that the server is away, for as long as it is, and that it is back. */
export function ConnectionBanner() {
  const { t } = useTranslation()
  const { message } = App.useApp()
  const isAway = useConnection() === 'away'
  const wasAway = useRef(false)
  useEffect(() => {
    if (wasAway.current && !isAway) void message.success(t('live.back'))
    wasAway.current = isAway
  }, [isAway, message, t])
  if (!isAway) return null
  return <Alert banner type="error" title={t('live.away')} role="alert" />
}
