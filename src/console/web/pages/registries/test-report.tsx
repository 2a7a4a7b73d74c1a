import { Alert, Spin, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { CheckStep, ConnectionReport } from '../../api/hub.ts'
import { useFormat } from '../../format.ts'
import { inOrder } from '../../parts/in-order.ts'
import { sayReason } from '../../parts/said.ts'
import { ServerSaid } from '../../parts/server-said.tsx'
import { Time } from '../../parts/values.tsx'

const COLORS: Record<CheckStep['result'], string> = {
  ok: 'green',
  warning: 'orange',
  failed: 'red',
  skipped: 'default',
}

/** What a test of a connection found, step by step. */
export function TestReport({ report }: { report: ConnectionReport }) {
  const { t } = useTranslation()
  const say = useSayStep()
  const { at, ok, reason, says, steps, credentialExpiresAt } = report
  const failed = steps.find(({ result }) => result === 'failed')
  return (
    <section aria-label={t('hub.test.run')}>
      <Alert
        type={ok ? 'success' : 'error'}
        showIcon
        title={ok ? t('hub.test.well') : t('hub.test.failed')}
        description={
          (failed && say(failed)) ?? (reason ? <ServerSaid text={reason} says={says} /> : undefined)
        }
      />
      <p className="cell-note">
        {t('hub.test.at')} <Time at={at} />
        {credentialExpiresAt !== null && (
          <>
            {' · '}
            {t('hub.test.loginExpires')} <Time at={credentialExpiresAt} />
          </>
        )}
      </p>
      <ol style={{ listStyle: 'none', margin: 0, padding: 0 }}>
        {inOrder(steps, (step) => (
          <Step step={step} />
        ))}
      </ol>
    </section>
  )
}

function Step({ step: whole }: { step: CheckStep }) {
  const { step, result, ms, message, advice } = whole
  const { t } = useTranslation()
  const said = useSayStep()(whole)
  const format = useFormat()
  return (
    <li className="layer">
      <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
        <strong>{t(`hub.test.steps.${step}`)}</strong>
        {said && <div title={[message, advice].filter(Boolean).join('; ')}>{said}</div>}
        {!said && message && (
          <div>
            <ServerSaid text={message} />
          </div>
        )}
        {!said && advice && (
          <div className="cell-note">
            <ServerSaid text={advice} />
          </div>
        )}
      </div>
      <div className="nowrap">
        {ms !== null && <span className="cell-note">{format.duration(ms)} </span>}
        <Tag color={COLORS[result]}>{t(`hub.test.results.${result}`)}</Tag>
      </div>
    </li>
  )
}

/** In the reader's language, where it has words for it; the server's own are English. */
function useSayStep(): (step: CheckStep) => string | undefined {
  const { t, i18n } = useTranslation()
  return ({ says }) => (i18n.language === 'en' || !says ? undefined : sayReason(t, says))
}

/** A test takes a while, and says so. */
export function TestRunning() {
  const { t } = useTranslation()
  return (
    <p role="status">
      <Spin size="small" /> {t('hub.test.running')}
    </p>
  )
}
