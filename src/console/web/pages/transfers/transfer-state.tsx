import { Progress, Tag } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Transfer, TransferState } from '../../api/hub.ts'
import { useFormat } from '../../format.ts'

const COLORS: Record<TransferState, string> = {
  queued: 'default',
  running: 'processing',
  done: 'green',
  failed: 'red',
  cancelled: 'orange',
}

export const isOpen = ({ state }: Pick<Transfer, 'state'>): boolean =>
  state === 'queued' || state === 'running'

export function StateTag({ state }: { state: TransferState }) {
  const { t } = useTranslation()
  return <Tag color={COLORS[state]}>{t(`transfers.states.${state}`)}</Tag>
}

/** How many bytes the target has of what it will have. */
const arrived = ({ bytes }: Pick<Transfer, 'bytes'>): number =>
  bytes.sent + bytes.skipped + bytes.mounted

function percentOf(transfer: Pick<Transfer, 'bytes' | 'state'>): number {
  if (transfer.state === 'done') return 100
  const { total } = transfer.bytes
  // 100 says that it is done, and the manifests come last.
  return total === 0 ? 0 : Math.min(99, Math.floor((arrived(transfer) / total) * 100))
}

export function TransferProgress({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation()
  const status =
    transfer.state === 'failed' ? 'exception' : transfer.state === 'done' ? 'success' : 'normal'
  return (
    <Progress
      percent={percentOf(transfer)}
      status={status}
      size="small"
      aria-label={t('transfers.progress')}
    />
  )
}

/** `12 MiB/s · 3 min left`, as long as it runs. */
export function Pace({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation()
  const format = useFormat()
  const { state, speed, bytes } = transfer
  if (state !== 'running' || speed <= 0) return null
  const rest = Math.max(0, bytes.total - arrived(transfer))
  return (
    <span className="cell-note nowrap">
      {t('transfers.perSecond', { size: format.bytes(speed) })}
      {rest > 0 && ` · ${t('transfers.left', { time: format.duration((rest / speed) * 1_000) })}`}
    </span>
  )
}
