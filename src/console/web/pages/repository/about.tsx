import { useParams } from '@tanstack/react-router'
import { Button, Card, Form, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch } from '../../api/client.ts'
import type { Repository } from '../../api/types.ts'
import { Markdown } from '../../parts/markdown.tsx'
import { SaveButton } from '../../parts/save-button.tsx'
import { useAct } from '../../parts/use-act.ts'
import { useFilledForm } from '../../parts/use-filled-form.ts'
import { useHasRole } from '../projects/use-project.ts'
import { repositoryPath, useRepository } from './use-repository.ts'

interface Values {
  summary: string
  description: string
}

const valuesOf = ({ summary, description }: Repository): Values => ({ summary, description })

/** What the people of a project say of a repository. */
export function AboutPage() {
  const { t } = useTranslation()
  const address = useParams({ from: '/shell/projects/$project/repositories/$repository/about' })
  const { data: repository } = useRepository(address)
  const mayEdit = useHasRole(address.project, 'maintainer')
  const [editing, setEditing] = useState(false)
  if (!repository) return null
  if (editing) return <Editor repository={repository} onClose={() => setEditing(false)} />
  return (
    <Card
      title={t('repositories.about')}
      extra={mayEdit && <Button onClick={() => setEditing(true)}>{t('common.edit')}</Button>}
    >
      {repository.description ? (
        <Markdown text={repository.description} />
      ) : (
        <p>{t('repositories.noDescription')}</p>
      )}
    </Card>
  )
}

function Editor({ repository: given, onClose }: { repository: Repository; onClose: () => void }) {
  const { record: repository, filled, onSent, onSaved } = useFilledForm(given, valuesOf)
  const { t } = useTranslation()
  const url = repositoryPath({ project: repository.project, repository: repository.name })
  const save = useAct({
    act: (values: Values) => patch<Repository>(url, values, repository.version),
    done: t('common.saved'),
    renews: [[url]],
    quiet: true,
    onDone: (saved) => {
      onSaved(saved)
      onClose()
    },
  })
  return (
    <Card title={t('repositories.about')}>
      <Form<Values>
        {...filled}
        layout="vertical"
        onFinish={(values) => {
          onSent()
          save.mutate(values)
        }}
      >
        <Form.Item name="summary" label={t('repositories.summary')}>
          <Input maxLength={255} />
        </Form.Item>
        <Form.Item
          name="description"
          label={t('projects.description')}
          extra={t('repositories.markdownHint')}
        >
          <Input.TextArea rows={8} />
        </Form.Item>
        <SaveButton save={save}>{t('common.save')}</SaveButton>{' '}
        <Button onClick={onClose}>{t('common.cancel')}</Button>
      </Form>
    </Card>
  )
}
