import { Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { post } from '../../api/client.ts'
import type { CreatedRunner } from '../../api/hub.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'

interface Values {
  id: string
  name?: string
  project?: string
}

export function NewRunner(props: {
  open: boolean
  onClose: () => void
  onCreated: (created: CreatedRunner) => void
}) {
  const { open, onClose, onCreated } = props
  const { t } = useTranslation()
  const create = useAct({
    act: ({ id, name, project }: Values) =>
      post<CreatedRunner>('/runners', {
        id: id.trim(),
        ...(name?.trim() ? { name: name.trim() } : {}),
        ...(project?.trim() ? { project: project.trim() } : {}),
      }),
    renews: [['/runners'], ['/overview']],
    quiet: true,
    onDone: onCreated,
  })
  return (
    <FormModal<Values>
      open={open}
      title={t('runners.create')}
      submit={t('common.create')}
      initial={{}}
      act={create}
      onClose={onClose}
    >
      <Form.Item
        name="id"
        label={t('runners.id')}
        extra={t('runners.idHint')}
        rules={[{ required: true, message: t('common.required') }]}
      >
        <Input autoFocus maxLength={64} placeholder="edge-1" />
      </Form.Item>
      <Form.Item name="name" label={t('runners.name')} extra={t('runners.nameHint')}>
        <Input maxLength={128} />
      </Form.Item>
      <Form.Item name="project" label={t('runners.project')} extra={t('runners.projectHint')}>
        <Input maxLength={255} />
      </Form.Item>
    </FormModal>
  )
}
