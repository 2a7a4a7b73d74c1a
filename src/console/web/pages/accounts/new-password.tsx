import { Form, Input, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { path, put } from '../../api/client.ts'
import type { User } from '../../api/types.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { useAct } from '../../parts/use-act.ts'

interface Values {
  password: string
  revokeApiTokens: boolean
}

/** An administrator gives somebody a new password. */
export function NewPassword({ user, onClose }: { user: User | undefined; onClose: () => void }) {
  const { t } = useTranslation()
  const save = useAct({
    act: (values: Values) => put(path`/users/${user?.name ?? ''}/password`, values),
    done: t('account.passwordChanged'),
    renews: [['/users']],
    quiet: true,
    onDone: onClose,
  })
  return (
    <FormModal<Values>
      open={user !== undefined}
      title={t('users.newPasswordOf', { name: user?.name ?? '' })}
      submit={t('common.save')}
      initial={{ revokeApiTokens: false }}
      act={save}
      onClose={onClose}
    >
      <Form.Item
        name="password"
        label={t('account.newPassword')}
        extra={t('account.passwordHint')}
        rules={[{ required: true, message: t('common.required') }]}
      >
        <Input.Password autoFocus autoComplete="new-password" />
      </Form.Item>
      <Form.Item
        name="revokeApiTokens"
        label={t('users.revokeTokens')}
        extra={t('users.revokeTokensHint')}
        valuePropName="checked"
      >
        <Switch />
      </Form.Item>
    </FormModal>
  )
}
