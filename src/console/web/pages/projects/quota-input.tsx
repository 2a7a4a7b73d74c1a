import { InputNumber, Select, Space } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

const UNITS = { MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const
type Unit = keyof typeof UNITS

/** Bytes, typed in a unit of one's choice; empty means no limit (-1). */
export function QuotaInput(props: {
  id?: string
  value?: number
  onChange?: (bytes: number) => void
}) {
  const { id, value = -1, onChange } = props
  const { t } = useTranslation()
  const [unit, setUnit] = useState<Unit>(() => unitOf(value))
  const shown = value < 0 ? null : value / UNITS[unit]
  return (
    <Space.Compact style={{ width: '100%' }}>
      <InputNumber<number>
        {...(id === undefined ? {} : { id })}
        style={{ width: '100%' }}
        min={0}
        value={shown}
        placeholder={t('projects.noLimit')}
        onChange={(amount) => {
          onChange?.(amount === null || amount <= 0 ? -1 : Math.round(amount * UNITS[unit]))
        }}
      />
      <Select<Unit>
        aria-label={t('projects.unit')}
        value={unit}
        style={{ width: 90 }}
        options={Object.keys(UNITS).map((name) => ({ value: name as Unit, label: name }))}
        onChange={(next) => {
          setUnit(next)
          if (shown !== null) onChange?.(Math.round(shown * UNITS[next]))
        }}
      />
    </Space.Compact>
  )
}

function unitOf(bytes: number): Unit {
  if (bytes >= UNITS.TiB) return 'TiB'
  return bytes > 0 && bytes < UNITS.GiB ? 'MiB' : 'GiB'
}
