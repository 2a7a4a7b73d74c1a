import { Form, type FormInstance, Modal } from 'antd'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError } from '../api/client.ts'
import { ErrorView, useSay } from './error-view.tsx'
import { useServerSaid } from './server-said.tsx'
import type { Doing } from './use-act.ts'
import { whenSlow } from './when-slow.ts'

export interface FormModalProps<T> {
  open: boolean
  title: string
  /** Of the button. */
  submit: string
  initial: Partial<T>
  /** What is done with what was entered. */
  act: Doing<T>
  onClose: () => void
  children: ReactNode
}

/** A form in a window; what the server says of a field stands at the field. */
export function FormModal<T extends object>(props: FormModalProps<T>) {
  const { open, title, submit, initial, act, onClose, children } = props
  const { t } = useTranslation()
  const [form] = Form.useForm<T>()
  useFieldErrors(form, act.error)
  return (
    <Modal
      open={open}
      title={title}
      okText={submit}
      cancelText={t('common.cancel')}
      okButtonProps={{ loading: whenSlow(act.isPending) }}
      onOk={() => form.submit()}
      onCancel={() => {
        act.reset()
        onClose()
      }}
      destroyOnHidden
    >
      <Form<T>
        form={form}
        layout="vertical"
        initialValues={initial}
        onFinish={(values) => act.mutate(values)}
        preserve={false}
        requiredMark={false}
      >
        {children}
        {act.error && <ErrorView error={act.error} />}
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
