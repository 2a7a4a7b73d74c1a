import { Alert, Button, Space } from 'antd'
import type { i18n } from 'i18next'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../api/client.ts'

/** A short title in the reader's language, then the server's own sentence. */
export function ErrorView({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation()
  const { title, sentence, requestId } = useProblem(error)
  return (
    <Alert
      type="error"
      showIcon
      title={title}
      description={
        <Space orientation="vertical" size={4}>
          {sentence && <span>{sentence}</span>}
          {requestId && (
            <small>
              {t('errors.requestId')} <code className="mono">{requestId}</code>
            </small>
          )}
        </Space>
      }
      action={onRetry && <Button onClick={onRetry}>{t('common.retry')}</Button>}
    />
  )
}

/** What to say of a failure. */
function useProblem(error: unknown) {
  const { t, i18n } = useTranslation()
  if (!(error instanceof ApiError)) {
    return { title: t('errors.internal'), sentence: error instanceof Error ? error.message : '' }
  }
  const title = titleOf(error, i18n)
  return { title, sentence: error.message, requestId: error.requestId }
}

/** In the reader's language, where the code is known. */
export function titleOf(error: unknown, { t, exists }: Pick<i18n, 't' | 'exists'>): string {
  const key = error instanceof ApiError ? `errors.${error.code}` : ''
  const known: boolean = exists(key)
  return t((known ? key : 'errors.internal') as 'errors.internal')
}
