import { useTranslation } from 'react-i18next'
import type { Says } from '../../../lib/reasons.ts'
import { sayReason } from './said.ts'

export interface ServerSaidProps {
  /** The server's own sentence, in English; what stands in it may be a stranger's. */
  text: string
  says?: Says | undefined
}

/**
 * What the server says in passing, in the reader's language; what it says without a reason that is
 * known here, such as a stranger's words, is quoted.
 */
export function ServerSaid({ text, says }: ServerSaidProps) {
  const { t, i18n } = useTranslation()
  if (i18n.language === 'en') return text
  const said = says && sayReason(t, says)
  if (said === undefined) return <Quoted text={text} />
  return (
    <>
      {said}
      <Original text={text} />
    </>
  )
}

/** The same where there is place for a sentence only. */
export function useServerSaid(): (said: ServerSaidProps) => string {
  const { t, i18n } = useTranslation()
  return ({ text, says }) => {
    if (i18n.language === 'en') return text
    return (says && sayReason(t, says)) ?? `${t('problem.saidSo')}“${text}”`
  }
}

export function Quoted({ text }: { text: string }) {
  const { t } = useTranslation()
  return (
    <>
      {t('problem.saidSo')}
      <q className="broken" lang="en">
        {text}
      </q>
    </>
  )
}

export function Original({ text }: { text: string }) {
  const { t } = useTranslation()
  return (
    <details>
      <summary>{t('problem.original')}</summary>
      <span className="broken" lang="en">
        {text}
      </span>
    </details>
  )
}
