import { Alert, Form, Input, type InputRef, Modal } from 'antd'
import { type ReactNode, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ErrorView } from './error-view.tsx'
import { whenSlow } from './when-slow.ts'

export interface RemovalProps {
  open: boolean
  title: string
  /** Has to be typed; undefined: a click is enough. */
  name?: string | undefined
  /** There is nothing that could be confirmed. */
  nothing?: boolean
  /** What will be gone. */
  children: ReactNode
  /** Of the button; "Delete" unless set. */
  submit?: string
  busy: boolean
  error: unknown
  onConfirm: () => void
  onClose: () => void
}

/** Says what will be gone before it is, and wants the name of what cannot be had back. */
export function ConfirmRemoval(props: RemovalProps) {
  const { open, title, name, nothing = false, children, submit, busy } = props
  const { error, onConfirm, onClose } = props
  const { t } = useTranslation()
  const [typed, setTyped] = useState('')
  const field = useRef<InputRef>(null)
  const ready = !nothing && (name === undefined || typed === name)
  return (
    <Modal
      open={open}
      title={title}
      okText={submit ?? t('common.delete')}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: true, disabled: !ready, loading: whenSlow(busy) }}
      onOk={onConfirm}
      onCancel={onClose}
      // The library gives the focus to the button that closes it.
      afterOpenChange={(isOpen) => isOpen && field.current?.focus()}
      afterClose={() => setTyped('')}
      destroyOnHidden
    >
      <Alert type="warning" title={children} style={{ marginBottom: 16 }} />
      {name !== undefined && (
        <Form layout="vertical" onFinish={() => ready && onConfirm()}>
          <Form.Item
            label={
              <span>
                {t('common.typeName')} <strong className="mono">{name}</strong>
              </span>
            }
            htmlFor="confirm-name"
          >
            <Input
              id="confirm-name"
              ref={field}
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
            />
          </Form.Item>
        </Form>
      )}
      {error !== null && error !== undefined && <ErrorView error={error} />}
    </Modal>
  )
}
