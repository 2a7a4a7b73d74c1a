import { DownloadOutlined } from '@ant-design/icons'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { useFormat } from '../../format.ts'
import { saveText } from '../../parts/save-text.ts'
import { SecretShown } from '../../parts/secret-shown.tsx'
import { Command } from '../../parts/values.tsx'

const FILE = 'runner-token'

export interface ShownInvitation {
  name: string
  token: string
  expiresAt: number
}

/** The token with which a runner enrols, and what to type near its registry. */
export function InvitationShown(props: {
  shown: ShownInvitation | undefined
  onClose: () => void
}) {
  const { shown, onClose } = props
  const { t } = useTranslation()
  const format = useFormat()
  return (
    <SecretShown
      secret={shown?.token}
      title={t('runners.tokenOf', { name: shown?.name ?? '' })}
      label={t('runners.token')}
      onClose={onClose}
    >
      <p className="cell-note">
        {t('runners.tokenUntil', { time: shown ? format.dateTime(shown.expiresAt) : '' })}
      </p>
      <Button
        icon={<DownloadOutlined />}
        onClick={() => shown && saveText(shown.token, FILE, 'text/plain')}
      >
        {t('runners.saveToken', { file: FILE })}
      </Button>
      <p className="field-label" style={{ marginTop: 16 }}>
        {t('runners.command', { file: FILE })}
      </p>
      <Command text={`entrepot runner --hub ${window.location.origin} --token-file ${FILE}`} />
    </SecretShown>
  )
}
