import { useTranslation } from 'react-i18next'
import { Bar, Size } from '../../parts/values.tsx'

export interface QuotaUseProps {
  /** Of the project. */
  name: string
  /** Bytes. */
  used: number
  /** Bytes; negative: no limit. */
  quota: number
}

/** What a project uses of what it may, in words. */
export function UsedOfQuota({ used, quota }: Omit<QuotaUseProps, 'name'>) {
  const { t } = useTranslation()
  return quota < 0 ? (
    <>
      <Size bytes={used} /> <span className="cell-note nowrap">· {t('projects.noLimit')}</span>
    </>
  ) : (
    <>
      <Size bytes={used} />
      {' / '}
      <Size bytes={quota} />
    </>
  )
}

/** The same as a bar; without a quota there is nothing that it could be a part of. */
export function QuotaBar({ name, used, quota }: QuotaUseProps) {
  const { t } = useTranslation()
  if (quota < 0) return null
  return <Bar part={used / quota} label={t('projects.quotaUsedBy', { name })} />
}

export function QuotaUse(props: QuotaUseProps) {
  return (
    <div style={{ display: 'grid', gap: 4, minWidth: 130, maxWidth: 220 }}>
      <div>
        <UsedOfQuota {...props} />
      </div>
      <QuotaBar {...props} />
    </div>
  )
}
