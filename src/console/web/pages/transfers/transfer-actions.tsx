import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { post } from '../../api/client.ts'
import type { Transfer } from '../../api/hub.ts'
import { ONE_TRANSFER } from '../../live/patcher.ts'
import { useAct } from '../../parts/use-act.ts'
import { whenSlow } from '../../parts/when-slow.ts'
import { useSession } from '../../session.ts'
import { isOpen } from './transfer-state.tsx'

/** What can be done about a transfer now. */
export function TransferActions({ transfer }: { transfer: Transfer }) {
  const { t } = useTranslation()
  const { account } = useSession()
  const change = useAct({
    act: (verb: 'cancel' | 'retry') => post<Transfer>(`/transfers/${transfer.id}/${verb}`),
    renews: [['/transfers'], [ONE_TRANSFER, transfer.id]],
  })
  const loading = whenSlow(change.isPending)
  if (isOpen(transfer)) {
    return (
      <Button loading={loading} onClick={() => change.mutate('cancel')}>
        {t('transfers.cancel')}
      </Button>
    )
  }
  // It is done with the rights of whoever asked for it.
  const isHis = account !== null && (account.admin || account.name === transfer.requestedBy)
  if (transfer.state === 'done' || !isHis) return null
  return (
    <Button loading={loading} onClick={() => change.mutate('retry')}>
      {t('transfers.retry')}
    </Button>
  )
}
