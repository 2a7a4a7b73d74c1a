import { Select } from 'antd'
import { useTranslation } from 'react-i18next'

const DAY_MS = 86_400_000
const LIFETIMES = { week: 7, month: 30, quarter: 90, year: 365 } as const

export type Lifetime = keyof typeof LIFETIMES | 'never'

/** Epoch milliseconds; null: never. */
export function untilAfter(lifetime: Lifetime): number | null {
  return lifetime === 'never' ? null : Date.now() + LIFETIMES[lifetime] * DAY_MS
}

/** How long something is good for. */
export function ExpirySelect(props: {
  id?: string
  value?: Lifetime
  onChange?: (lifetime: Lifetime) => void
}) {
  const { t } = useTranslation()
  const options: Lifetime[] = ['week', 'month', 'quarter', 'year', 'never']
  return (
    <Select<Lifetime>
      {...props}
      options={options.map((value) => ({ value, label: t(`lifetimes.${value}`) }))}
    />
  )
}
