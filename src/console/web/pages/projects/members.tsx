import { PlusOutlined } from '@ant-design/icons'
import { useParams } from '@tanstack/react-router'
import { Button, Form, Input, Select, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { path, put, remove } from '../../api/client.ts'
import type { Member, Role } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { FormModal } from '../../parts/form-modal.tsx'
import { List, useList } from '../../parts/list.tsx'
import { useAct } from '../../parts/use-act.ts'
import { useConfirmed } from '../../parts/use-confirmed.ts'
import { Time } from '../../parts/values.tsx'
import { useHasRole } from './use-project.ts'

const ROLES: Role[] = ['guest', 'developer', 'maintainer', 'admin']

interface Values {
  name: string
  role: Role
}

export function MembersPage() {
  const { t } = useTranslation()
  const { project } = useParams({ from: '/shell/projects/$project/members' })
  const mayManage = useHasRole(project, 'admin')
  const list = useList<Member>({ path: path`/projects/${project}/members` })
  const [adding, setAdding] = useState(false)
  const renews = [[path`/projects/${project}/members`], ['/projects', project]]

  const set = useAct({
    act: ({ name, role }: Values) => put(path`/projects/${project}/members/${name}`, { role }),
    done: t('members.saved'),
    renews,
    onDone: () => setAdding(false),
    quiet: adding,
  })
  const drop = useConfirmed({
    act: ({ name }: Member) => remove(path`/projects/${project}/members/${name}`),
    done: t('members.removed'),
    renews,
  })
  const roles = ROLES.map((role) => ({ value: role, label: t(`roles.${role}`) }))

  return (
    <>
      {mayManage && (
        <div className="filters">
          <Button type="primary" icon={<PlusOutlined />} onClick={() => setAdding(true)}>
            {t('members.add')}
          </Button>
        </div>
      )}
      <List
        list={list}
        label={t('projects.members')}
        rowKey={({ account }) => account}
        empty={t('members.none')}
        columns={[
          {
            title: t('members.name'),
            key: 'name',
            render: (_, member) => (
              <>
                {member.name} {member.kind === 'robot' && <Tag>{t('members.robot')}</Tag>}
                {member.displayName && <div className="cell-note">{member.displayName}</div>}
              </>
            ),
          },
          {
            title: t('members.role'),
            key: 'role',
            render: (_, member) =>
              mayManage ? (
                <Select<Role>
                  value={member.role}
                  aria-label={t('members.roleOf', { name: member.name })}
                  options={member.kind === 'robot' ? roles.slice(0, 3) : roles}
                  style={{ minWidth: 140 }}
                  onChange={(role) => set.mutate({ name: member.name, role })}
                />
              ) : (
                t(`roles.${member.role}`)
              ),
          },
          {
            title: t('members.since'),
            key: 'since',
            responsive: ['md'],
            render: (_, member) => <Time at={member.createdAt} />,
          },
        ]}
        actions={
          mayManage
            ? (member) => (
                <Button danger type="text" onClick={() => drop.ask(member)}>
                  {t('members.remove')}
                </Button>
              )
            : undefined
        }
      />
      <FormModal<Values>
        open={adding}
        title={t('members.add')}
        submit={t('members.add')}
        initial={{ role: 'developer' }}
        act={set}
        onClose={() => setAdding(false)}
      >
        <Form.Item
          name="name"
          label={t('members.name')}
          extra={t('members.nameHint')}
          rules={[{ required: true, message: t('common.required') }]}
        >
          <Input autoFocus autoComplete="off" spellCheck={false} />
        </Form.Item>
        <Form.Item name="role" label={t('members.role')}>
          <Select
            options={ROLES.map((role) => ({
              value: role,
              label: `${t(`roles.${role}`)} – ${t(`roles.may.${role}`)}`,
            }))}
          />
        </Form.Item>
      </FormModal>
      <ConfirmRemoval
        {...drop.asking}
        title={t('members.removeTitle', { name: drop.item?.name ?? '' })}
        name={drop.item?.name}
        submit={t('members.remove')}
      >
        {t('members.removeText', { name: drop.item?.name ?? '', project })}
      </ConfirmRemoval>
    </>
  )
}
