import { useQuery } from '@tanstack/react-query'
import { Form, Input, Select } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { get, post } from '../../api/client.ts'
import type { CreatedRobot, ListedProject, Page, Project } from '../../api/types.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'
import { ExpirySelect, type Lifetime, untilAfter } from './expiry-select.tsx'

const ROLES = ['guest', 'developer', 'maintainer'] as const

interface Values {
  name: string
  description?: string
  role: (typeof ROLES)[number]
  projects?: number[]
  lifetime: Lifetime
}

export function NewRobot(props: {
  open: boolean
  base: string
  project: Project | undefined
  onClose: () => void
  onCreated: (robot: CreatedRobot) => void
}) {
  const { open, base, project, onClose, onCreated } = props
  const { t } = useTranslation()
  const create = useAct({
    act: ({ lifetime, projects = [], role, ...robot }: Values) =>
      post<CreatedRobot>(base, {
        ...robot,
        expiresAt: untilAfter(lifetime),
        ...(project ? { role } : { roles: projects.map((id) => ({ project: id, role })) }),
      }),
    renews: [[base]],
    quiet: true,
    onDone: onCreated,
  })
  return (
    <FormModal<Values>
      open={open}
      title={t('robots.create')}
      submit={t('common.create')}
      initial={{ role: 'developer', lifetime: 'year' }}
      act={create}
      onClose={onClose}
    >
      <Form.Item
        name="name"
        label={t('robots.name')}
        extra={t('robots.nameHint', { prefix: project?.name ?? 'system' })}
        rules={[{ required: true, message: t('common.required') }]}
      >
        <Input
          autoFocus
          autoComplete="off"
          spellCheck={false}
          prefix={`${project?.name ?? 'system'}+`}
        />
      </Form.Item>
      {!project && (
        <Form.Item name="projects" label={t('robots.projects')} extra={t('robots.projectsHint')}>
          <ProjectSelect />
        </Form.Item>
      )}
      <Form.Item name="role" label={t('members.role')}>
        <Select
          options={ROLES.map((role) => ({
            value: role,
            label: `${t(`roles.${role}`)} – ${t(`roles.may.${role}`)}`,
          }))}
        />
      </Form.Item>
      <Form.Item name="lifetime" label={t('common.expires')}>
        <ExpirySelect />
      </Form.Item>
      <Form.Item name="description" label={t('projects.description')}>
        <Input />
      </Form.Item>
    </FormModal>
  )
}

function ProjectSelect(props: {
  id?: string
  value?: number[]
  onChange?: (ids: number[]) => void
}) {
  const [text, setText] = useState('')
  const query = { limit: 50, nameHas: text }
  const { data, isFetching } = useQuery({
    queryKey: ['/projects', query],
    queryFn: ({ signal }) => get<Page<ListedProject>>('/projects', query, signal),
  })
  return (
    <Select<number[]>
      {...props}
      mode="multiple"
      showSearch={{ filterOption: false, onSearch: setText }}
      loading={isFetching}
      options={(data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))}
    />
  )
}
