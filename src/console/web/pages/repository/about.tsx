import { useParams } from '@tanstack/react-router'
import { Button, Card, Form, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch } from '../../api/client.ts'
import type { Repository } from '../../api/types.ts'
import { ErrorView } from '../../parts/error-view.tsx'
import { Markdown } from '../../parts/markdown.tsx'
import { useAct } from '../../parts/use-act.ts'
import { whenSlow } from '../../parts/when-slow.ts'
import { useHasRole } from '../projects/use-project.ts'
import { repositoryPath, useRepository } from './use-repository.ts'

interface Values {
  summary: string
  description: string
}

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
  // As it was when the form was filled: what others change meanwhile must not be overwritten.
  const [repository] = useState(given)
  const { t } = useTranslation()
  const url = repositoryPath({ project: repository.project, repository: repository.name })
  const save = useAct({
    act: (values: Values) => patch<Repository>(url, values, repository.version),
    done: t('common.saved'),
    renews: [[url]],
    quiet: true,
    onDone: onClose,
  })
  return (
    <Card title={t('repositories.about')}>
      <Form<Values>
        layout="vertical"
        initialValues={{ summary: repository.summary, description: repository.description }}
        onFinish={(values) => save.mutate(values)}
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
        {save.error && (
          <div style={{ marginBottom: 16 }}>
            <ErrorView error={save.error} />
          </div>
        )}
        <Button type="primary" htmlType="submit" loading={whenSlow(save.isPending)}>
          {t('common.save')}
        </Button>{' '}
        <Button onClick={onClose}>{t('common.cancel')}</Button>
      </Form>
    </Card>
  )
}
