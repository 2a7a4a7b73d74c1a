import { useTranslation } from 'react-i18next'
import { Command } from '../../parts/values.tsx'

/** How an empty project gets its first repository. */
export function PushHint({ project }: { project: string }) {
  const { t } = useTranslation()
  return (
    <div style={{ maxWidth: 520, margin: '0 auto', textAlign: 'start' }}>
      <p>{t('repositories.none')}</p>
      <Command text={`docker push ${window.location.host}/${project}/app:1.0`} />
    </div>
  )
}
