import { Form } from 'antd'
import { useEffect, useRef, useState } from 'react'

/**
 * A form filled from a record that others may change while it is open. Until something is typed it
 * follows what is there. From then on it keeps what was typed and `record` as it was typed over, so
 * that saving, with the version of `record`, is refused rather than overwriting what others did.
 */
export function useFilledForm<T extends { version: number }, Values extends object>(
  newest: T,
  valuesOf: (record: T) => Values,
) {
  const [form] = Form.useForm<Values>()
  const [record, setRecord] = useState(newest)
  /** Changes since it was filled, and how many of them were sent. */
  const typed = useRef(0)
  const sent = useRef(0)
  useEffect(() => {
    if (typed.current > 0 || newest.version <= record.version) return
    setRecord(newest)
    form.setFieldsValue(valuesOf(newest) as never)
  }, [form, newest, record, valuesOf])
  return {
    record,
    form,
    /** For the form. */
    filled: {
      form,
      initialValues: valuesOf(record),
      onValuesChange: () => {
        typed.current++
      },
    },
    /** To be told when what is typed is sent. */
    onSent: () => {
      sent.current = typed.current
    },
    /** To be told what it is now. */
    onSaved: (saved: T) => {
      setRecord(saved)
      if (typed.current === sent.current) typed.current = 0
    },
  }
}
