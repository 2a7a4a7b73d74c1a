import { Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { inOrder } from '../../parts/in-order.ts'
import { useUses } from './use-registry.ts'

/** What a change of TLS settings means for those who use the registry; said before it is saved. */
export function TlsWarning(props: {
  open: boolean
  registry: string | undefined
  onSave: () => void
  onClose: () => void
}) {
  const { open, registry, onSave, onClose } = props
  const { t } = useTranslation()
  const uses = useUses(open ? registry : undefined).data ?? []
  return (
    <Modal
      open={open}
      title={t('hub.tls.title')}
      okText={t('hub.tls.save')}
      cancelText={t('common.cancel')}
      onOk={onSave}
      onCancel={onClose}
      destroyOnHidden
    >
      <TlsEffects />
      {uses.length > 0 && (
        <>
          <p>{t('hub.tls.known')}</p>
          <ul>
            {inOrder(uses, ({ what }) => (
              <li>{what}</li>
            ))}
          </ul>
        </>
      )}
    </Modal>
  )
}

function TlsEffects() {
  const { t } = useTranslation()
  return (
    <ul style={{ paddingInlineStart: 20 }}>
      <li>{t('hub.tls.running')}</li>
      <li>{t('hub.tls.clients')}</li>
      <li>{t('hub.tls.clusters')}</li>
    </ul>
  )
}
