import { Alert, Modal } from 'antd'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Command } from './values.tsx'

/** A secret that is shown this once; closing takes a deliberate click. */
export function SecretShown(props: {
  secret: string | undefined
  title: string
  /** What it is called, where more than one value is shown. */
  label?: string
  /** Above it. */
  before?: ReactNode
  onClose: () => void
  children?: ReactNode
}) {
  const { secret, title, label, before, onClose, children } = props
  const { t } = useTranslation()
  return (
    <Modal
      open={secret !== undefined}
      title={title}
      okText={t('secret.kept')}
      onOk={onClose}
      onCancel={onClose}
      mask={{ closable: false }}
      keyboard={false}
      closable={false}
      cancelButtonProps={{ style: { display: 'none' } }}
      destroyOnHidden
    >
      <Alert type="info" showIcon title={t('secret.once')} style={{ marginBottom: 12 }} />
      {before}
      {label && <p className="field-label">{label}</p>}
      <Command text={secret ?? ''} />
      {children}
    </Modal>
  )
}
