import { CheckOutlined, CopyOutlined } from '@ant-design/icons'
import { Button, Tooltip } from 'antd'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useFormat } from '../format.ts'

/* Single values: short to read, exact on hover. */

export function Time({ at }: { at: number | null }) {
  const format = useFormat()
  const { t } = useTranslation()
  if (at === null) return <span>{t('common.never')}</span>
  return (
    <Tooltip title={format.dateTime(at)}>
      <time dateTime={new Date(at).toISOString()} className="nowrap">
        {format.ago(at)}
      </time>
    </Tooltip>
  )
}

export function Size({ bytes }: { bytes: number }) {
  const format = useFormat()
  const { t } = useTranslation()
  return (
    <Tooltip title={t('common.exactBytes', { bytes: format.number(bytes) })}>
      <span className="nowrap">{format.bytes(bytes)}</span>
    </Tooltip>
  )
}

/** The first digits tell digests apart; the whole one is a click away. */
export function DigestText({ digest }: { digest: string }) {
  const [algorithm = '', hex = ''] = digest.split(':')
  return (
    <span className="nowrap">
      <Tooltip title={digest}>
        <span className="mono">
          {algorithm !== 'sha256' && `${algorithm}:`}
          {hex.slice(0, 12)}
        </span>
      </Tooltip>
      <CopyButton text={digest} />
    </span>
  )
}

/** The beginning of an id that means nothing to people; the whole one is a click away. */
export function Shortened({ text }: { text: string }) {
  return (
    <span className="nowrap">
      <Tooltip title={text}>
        <span className="mono">{text.slice(0, 8)}</span>
      </Tooltip>
      <CopyButton text={text} />
    </span>
  )
}

const SHOWN_MS = 1_500

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation()
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [done])
  return (
    <Tooltip title={done ? t('common.copied') : (label ?? t('common.copy'))}>
      <Button
        type="text"
        size="small"
        aria-label={label ?? t('common.copyText', { text: text.slice(0, 60) })}
        icon={done ? <CheckOutlined /> : <CopyOutlined />}
        onClick={() => void copy(text).then(setDone)}
      />
    </Tooltip>
  )
}

/** Over plain HTTP browsers have no clipboard; there a selection is copied. */
async function copy(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    )
  }
  const field = document.createElement('textarea')
  field.value = text
  field.setAttribute('readonly', '')
  field.style.position = 'fixed'
  field.style.opacity = '0'
  document.body.append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  return done
}

/** A line to be pasted into a terminal. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <CopyButton text={text} />
    </div>
  )
}

/** How full something is. */
export function Bar({
  part,
  label,
  isLimit = true,
}: {
  part: number
  label: string
  /** Nearly full is a warning. */
  isLimit?: boolean
}) {
  const percent = Math.max(0, Math.min(100, part * 100))
  return (
    // biome-ignore lint/a11y/useSemanticElements: browsers do not let a <meter> be styled alike
    <div
      className="bar"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
    >
      <span className={isLimit && part >= 0.9 ? 'full' : ''} style={{ width: `${percent}%` }} />
    </div>
  )
}
