import { Alert, Button, Space } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormat } from '../format.ts'
import { type Said, sayProblem } from './said.ts'
import { Original, Quoted } from './server-said.tsx'

/** A title and a sentence in the reader's language; the server's own one is a click away. */
export function ErrorView({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation()
  const said = useSay()(error)
  return (
    <Alert
      type="error"
      showIcon
      title={said.title}
      description={<Explanation said={said} />}
      action={onRetry && <Button onClick={onRetry}>{t('common.retry')}</Button>}
    />
  )
}

export function Explanation({ said: { sentence, original, requestId } }: { said: Said }) {
  const { t } = useTranslation()
  return (
    <Space orientation="vertical" size={4}>
      {sentence && <span className="broken">{sentence}</span>}
      {original && (sentence ? <Original text={original} /> : <Quoted text={original} />)}
      {requestId && (
        <small>
          {t('problem.requestId')} <code className="mono">{requestId}</code>
        </small>
      )}
    </Space>
  )
}

/** What to say of failures. */
export function useSay(): (error: unknown) => Said {
  const { t, i18n } = useTranslation()
  const format = useFormat()
  return (error) => sayProblem(error, { t, language: i18n.language, format })
}
