import { Form, type FormInstance, Modal } from 'antd'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../api/client.ts'
import { ErrorView, useSay } from './error-view.tsx'
import { useServerSaid } from './server-said.tsx'
import { whenSlow } from './when-slow.ts'

export interface FormModalProps<T> {
  open: boolean
  title: string
  /** Of the button. */
  submit: string
  initial: Partial<T>
  busy: boolean
  error: unknown
  onSubmit: (values: T) => void
  onClose: () => void
  children: ReactNode
}

/** A form in a window; what the server says of a field stands at the field. */
export function FormModal<T extends object>(props: FormModalProps<T>) {
  const { open, title, submit, initial, busy, error, onSubmit, onClose, children } = props
  const { t } = useTranslation()
  const [form] = Form.useForm<T>()
  useFieldErrors(form, error)
  return (
    <Modal
      open={open}
      title={title}
      okText={submit}
      cancelText={t('common.cancel')}
      okButtonProps={{ loading: whenSlow(busy) }}
      onOk={() => form.submit()}
      onCancel={onClose}
      destroyOnHidden
    >
      <Form<T>
        form={form}
        layout="vertical"
        initialValues={initial}
        onFinish={onSubmit}
        preserve={false}
        requiredMark={false}
      >
        {children}
        {error !== null && error !== undefined && <ErrorView error={error} />}
      </Form>
    </Modal>
  )
}

export function useFieldErrors<T>(form: FormInstance<T>, error: unknown): void {
  const sentence = useSay()(error).sentence
  const say = useServerSaid()
  const told =
    error instanceof ApiError
      ? error.fields.map(({ field, message, says }) => {
          // What is said of the one field that is wrong is what is said of all.
          const same = message === error.message && sentence !== undefined
          return { field, text: same ? sentence : say({ text: message, says }) }
        })
      : []
  const key = JSON.stringify(told)
  useEffect(() => {
    // A form that is not shown has no fields.
    if (key === '[]') return
    const known = form.getFieldsValue() as object
    const fields = (JSON.parse(key) as typeof told).filter(({ field }) => field && field in known)
    form.setFields(fields.map(({ field, text }) => ({ name: field, errors: [text] })) as never)
  }, [form, key])
}
