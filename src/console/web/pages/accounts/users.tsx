import { PlusOutlined } from '@ant-design/icons'
import { useSearch } from '@tanstack/react-router'
import { Button, Space, Tag } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { path, remove } from '../../api/client.ts'
import type { User } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { List, useFilters, useList } from '../../parts/list.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { SearchBox } from '../../parts/search-box.tsx'
import { useConfirmed } from '../../parts/use-confirmed.ts'
import { Time } from '../../parts/values.tsx'
import { NewPassword } from './new-password.tsx'
import { UserEditor } from './user-editor.tsx'

type Window = { kind: 'edit' | 'password'; user: User } | { kind: 'create' } | undefined

export function UsersPage() {
  const { t } = useTranslation()
  const { name } = useSearch({ from: '/shell/signed-in/users' })
  const filter = useFilters()
  const list = useList<User>({ path: '/users', query: { nameHas: name } })
  const [open, setOpen] = useState<Window>()
  const close = () => setOpen(undefined)
  const drop = useConfirmed({
    act: (user: User) => remove(path`/users/${user.name}`, user.version),
    done: t('users.deleted'),
    renews: [['/users']],
  })
  return (
    <div className="page">
      <PageHead
        title={t('nav.users')}
        actions={
          <Button
            type="primary"
            icon={<PlusOutlined />}
            onClick={() => setOpen({ kind: 'create' })}
          >
            {t('users.create')}
          </Button>
        }
      />
      <div className="filters">
        <SearchBox
          value={name}
          label={t('users.search')}
          onSearch={(text) => void filter({ name: text })}
        />
      </div>
      <List
        list={list}
        label={t('nav.users')}
        rowKey={({ id }) => id}
        filtered={name !== undefined}
        empty={t('users.none')}
        columns={[
          {
            title: t('users.name'),
            key: 'name',
            render: (_, user) => (
              <>
                <Space size={6}>
                  {user.name}
                  {user.admin && <Tag color="gold">{t('users.admin')}</Tag>}
                  {user.disabled && <Tag color="red">{t('users.disabled')}</Tag>}
                </Space>
                {user.displayName && <div className="cell-note">{user.displayName}</div>}
              </>
            ),
          },
          { title: t('users.email'), key: 'email', render: (_, user) => user.email ?? '–' },
          {
            title: t('common.created'),
            key: 'created',
            responsive: ['md'],
            render: (_, user) => <Time at={user.createdAt} />,
          },
        ]}
        actions={(user) => (
          <Space wrap>
            <Button onClick={() => setOpen({ kind: 'edit', user })}>{t('common.edit')}</Button>
            <Button onClick={() => setOpen({ kind: 'password', user })}>
              {t('users.newPassword')}
            </Button>
            <Button danger type="text" onClick={() => drop.ask(user)}>
              {t('common.delete')}
            </Button>
          </Space>
        )}
      />
      <UserEditor
        open={open?.kind === 'create' || open?.kind === 'edit'}
        user={open?.kind === 'edit' ? open.user : undefined}
        onClose={close}
      />
      <NewPassword user={open?.kind === 'password' ? open.user : undefined} onClose={close} />
      <ConfirmRemoval {...drop.asking} title={t('users.deleteTitle')} name={drop.item?.name}>
        {t('users.deleteText', { name: drop.item?.name ?? '' })}
      </ConfirmRemoval>
    </div>
  )
}
