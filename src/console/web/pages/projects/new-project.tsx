import { Form, Input, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { post } from '../../api/client.ts'
import type { Project } from '../../api/types.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'
import { useSession } from '../../session.ts'
import { QuotaInput } from './quota-input.tsx'

interface Values {
  name: string
  description?: string
  public?: boolean
  quota?: number
}

export function NewProject(props: {
  open: boolean
  onClose: () => void
  onCreated: (name: string) => void
}) {
  const { open, onClose, onCreated } = props
  const { t } = useTranslation()
  const { account } = useSession()
  const create = useAct({
    act: (values: Values) => post<Project>('/projects', values),
    done: t('projects.created'),
    quiet: true,
    onDone: ({ name }) => {
      onClose()
      onCreated(name)
    },
  })
  return (
    <FormModal<Values>
      open={open}
      title={t('projects.create')}
      submit={t('common.create')}
      initial={{ public: false }}
      act={create}
      onClose={onClose}
    >
      <Form.Item
        name="name"
        label={t('projects.name')}
        extra={t('projects.nameHint')}
        rules={[{ required: true, message: t('common.required') }]}
      >
        <Input autoFocus autoComplete="off" spellCheck={false} />
      </Form.Item>
      <Form.Item name="description" label={t('projects.description')}>
        <Input.TextArea rows={3} />
      </Form.Item>
      <Form.Item
        name="public"
        label={t('projects.public')}
        extra={t('projects.publicHint')}
        valuePropName="checked"
      >
        <Switch />
      </Form.Item>
      {account?.admin && (
        <Form.Item name="quota" label={t('projects.quota')} extra={t('projects.quotaHint')}>
          <QuotaInput />
        </Form.Item>
      )}
    </FormModal>
  )
}
