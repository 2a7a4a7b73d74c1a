import { Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Health } from '../../api/hub.ts'

const COLORS: Record<Health, string> = {
  unknown: 'default',
  checking: 'processing',
  ok: 'green',
  failing: 'red',
}

export function HealthTag({ health }: { health: Health }) {
  const { t } = useTranslation()
  return <Tag color={COLORS[health]}>{t(`hub.health.${health}`)}</Tag>
}
