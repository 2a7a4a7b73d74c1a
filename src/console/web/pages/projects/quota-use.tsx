import { useTranslation } from 'react-i18next'
import type { ListedProject } from '../../api/types.ts'
import { Bar, Size } from '../../parts/values.tsx'

/** What a project uses of what it may. */
export function QuotaUse({
  project,
}: {
  project: Pick<ListedProject, 'name' | 'quota' | 'usage'>
}) {
  const { t } = useTranslation()
  const { name, quota, usage } = project
  if (quota < 0) return <Size bytes={usage.uniqueBytes} />
  return (
    <div style={{ minWidth: 130, maxWidth: 220 }}>
      <div style={{ marginBottom: 4 }}>
        <Size bytes={usage.uniqueBytes} />
        {' / '}
        <Size bytes={quota} />
      </div>
      <Bar part={usage.uniqueBytes / quota} label={t('projects.usageOf', { name })} />
    </div>
  )
}
