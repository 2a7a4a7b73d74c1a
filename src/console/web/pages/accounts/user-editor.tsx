import { Form, Input, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { patch, path, post } from '../../api/client.ts'
import type { User } from '../../api/types.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'

interface Values {
  name?: string
  password?: string
  displayName: string
  email?: string
  admin: boolean
  disabled?: boolean
}

/** Creates a user, or changes the given one. */
export function UserEditor(props: { open: boolean; user: User | undefined; onClose: () => void }) {
  const { open, user, onClose } = props
  const { t } = useTranslation()
  const save = useAct({
    act: ({ email, ...values }: Values) => {
      const body = { ...values, email: email || null }
      return user
        ? patch<User>(path`/users/${user.name}`, body, user.version)
        : post<User>('/users', body)
    },
    done: user ? t('common.saved') : t('users.created'),
    renews: [['/users']],
    quiet: true,
    onDone: onClose,
  })
  const required = [{ required: true, message: t('common.required') }]
  return (
    <FormModal<Values>
      open={open}
      title={user ? t('users.edit', { name: user.name }) : t('users.create')}
      submit={user ? t('common.save') : t('common.create')}
      initial={{
        displayName: user?.displayName ?? '',
        email: user?.email ?? '',
        admin: user?.admin ?? false,
        ...(user ? { disabled: user.disabled } : {}),
      }}
      act={save}
      onClose={onClose}
    >
      {!user && (
        <>
          <Form.Item
            name="name"
            label={t('users.name')}
            extra={t('users.nameHint')}
            rules={required}
          >
            <Input autoFocus autoComplete="off" spellCheck={false} />
          </Form.Item>
          <Form.Item
            name="password"
            label={t('signIn.password')}
            extra={t('account.passwordHint')}
            rules={required}
          >
            <Input.Password autoComplete="new-password" />
          </Form.Item>
        </>
      )}
      <Form.Item name="displayName" label={t('users.displayName')}>
        <Input maxLength={128} />
      </Form.Item>
      <Form.Item name="email" label={t('users.email')}>
        <Input type="email" />
      </Form.Item>
      <Form.Item
        name="admin"
        label={t('users.admin')}
        extra={t('users.adminHint')}
        valuePropName="checked"
      >
        <Switch />
      </Form.Item>
      {user && (
        <Form.Item
          name="disabled"
          label={t('users.disabled')}
          extra={t('users.disabledHint')}
          valuePropName="checked"
        >
          <Switch />
        </Form.Item>
      )}
    </FormModal>
  )
}
