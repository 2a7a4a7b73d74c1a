import { useNavigate, useParams } from '@tanstack/react-router'
import { Button, Card, Form, Input, Switch } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch, path, remove } from '../../api/client.ts'
import type { Project } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { refusal } from '../../parts/refusal.ts'
import { SaveButton } from '../../parts/save-button.tsx'
import { useAct } from '../../parts/use-act.ts'
import { useFilledForm } from '../../parts/use-filled-form.ts'
import { useSession } from '../../session.ts'
import { QuotaInput } from './quota-input.tsx'
import { useHasRole, useProject } from './use-project.ts'

interface Values {
  description: string
  public: boolean
  quota?: number
}

const valuesOf = ({ description, public: isPublic, quota }: Project): Values => ({
  description,
  public: isPublic,
  quota,
})

export function ProjectSettingsPage() {
  const { project: name } = useParams({ from: '/shell/projects/$project/settings' })
  const { data: project } = useProject(name)
  const mayChange = useHasRole(name, 'admin')
  if (project && !mayChange) throw refusal()
  return project ? <Settings key={project.name} project={project} /> : null
}

function Settings({ project: given }: { project: Project }) {
  const { record: project, filled, onSent, onSaved } = useFilledForm(given, valuesOf)
  const { t } = useTranslation()
  const { account } = useSession()
  const navigate = useNavigate()
  const [removing, setRemoving] = useState(false)
  const save = useAct({
    act: (values: Values) =>
      patch<Project>(path`/projects/${project.name}`, values, project.version),
    done: t('common.saved'),
    renews: [['/projects', project.name]],
    quiet: true,
    onDone: onSaved,
  })
  const drop = useAct({
    act: () => remove(path`/projects/${project.name}`),
    done: t('projects.deleted'),
    quiet: true,
    onDone: () => void navigate({ to: '/projects' }),
  })
  return (
    <>
      <Card title={t('projects.settings')} style={{ maxWidth: 640 }}>
        <Form<Values>
          {...filled}
          layout="vertical"
          requiredMark={false}
          onFinish={(values) => {
            onSent()
            save.mutate(values)
          }}
        >
          <Form.Item name="description" label={t('projects.description')}>
            <Input.TextArea rows={3} maxLength={4096} />
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
          <SaveButton save={save}>{t('common.save')}</SaveButton>
        </Form>
      </Card>
      <Card title={t('projects.deleteTitle')} style={{ maxWidth: 640, marginTop: 16 }}>
        <p style={{ marginTop: 0 }}>{t('projects.deleteHint')}</p>
        <Button danger onClick={() => setRemoving(true)}>
          {t('projects.delete')}
        </Button>
      </Card>
      <ConfirmRemoval
        open={removing}
        title={t('projects.delete')}
        name={project.name}
        busy={drop.isPending}
        error={drop.error}
        onConfirm={() => drop.mutate()}
        onClose={() => {
          drop.reset()
          setRemoving(false)
        }}
      >
        {t('projects.deleteText', { name: project.name })}
      </ConfirmRemoval>
    </>
  )
}
