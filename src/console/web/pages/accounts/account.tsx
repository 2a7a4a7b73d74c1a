import { useQueryClient } from '@tanstack/react-query'
import { Card, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { patch } from '../../api/client.ts'
import { useFieldErrors } from '../../parts/form-modal.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { SaveButton } from '../../parts/save-button.tsx'
import { useAct } from '../../parts/use-act.ts'
import { sessionQuery, useSession } from '../../session.ts'
import { AccessKeys } from './access-keys.tsx'
import { ApiTokens } from './api-tokens.tsx'

/** Everybody's own account. */
export function AccountPage() {
  const { t } = useTranslation()
  const { account } = useSession()
  if (!account) return null
  return (
    <div className="page">
      <PageHead title={t('nav.account')} />
      <div className="columns">
        <Card title={t('account.profile')}>
          <dl className="fact-list">
            <dt>{t('users.name')}</dt>
            <dd>{account.name}</dd>
            <dt>{t('users.displayName')}</dt>
            <dd>{account.displayName || '–'}</dd>
            <dt>{t('users.email')}</dt>
            <dd>{account.email ?? '–'}</dd>
            <dt>{t('users.admin')}</dt>
            <dd>{account.admin ? t('common.yes') : t('common.no')}</dd>
          </dl>
        </Card>
        <Card title={t('account.changePassword')}>
          <PasswordForm name={account.name} />
        </Card>
      </div>
      <Card title={t('account.tokens')} style={{ marginTop: 16 }}>
        <p className="intro">{t('account.tokensFor')}</p>
        <ApiTokens />
      </Card>
      <Card title={t('accessKeys.title')} style={{ marginTop: 16 }}>
        <AccessKeys base="/me/access-keys" use={t('accessKeys.use')} mayDisable />
      </Card>
    </div>
  )
}

interface Values {
  currentPassword: string
  newPassword: string
  again?: string
}

function PasswordForm({ name }: { name: string }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const [form] = Form.useForm<Values>()
  const save = useAct({
    act: ({ currentPassword, newPassword }: Values) =>
      patch('/me/password', { currentPassword, newPassword }),
    done: t('account.passwordChanged'),
    // This session goes on as a new one, with another token.
    renews: [],
    quiet: true,
    onDone: () => {
      form.resetFields()
      void queries.fetchQuery({ ...sessionQuery, staleTime: 0 })
    },
  })
  useFieldErrors(form, save.error)
  const required = { required: true, message: t('common.required') }
  return (
    <Form<Values>
      form={form}
      layout="vertical"
      requiredMark={false}
      onFinish={(values) => save.mutate(values)}
    >
      <input type="text" autoComplete="username" value={name} readOnly hidden />
      <Form.Item name="currentPassword" label={t('account.currentPassword')} rules={[required]}>
        <Input.Password autoComplete="current-password" />
      </Form.Item>
      <Form.Item
        name="newPassword"
        label={t('account.newPassword')}
        extra={t('account.passwordHint')}
        rules={[required]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Form.Item
        name="again"
        label={t('account.again')}
        dependencies={['newPassword']}
        rules={[
          required,
          ({ getFieldValue }) => ({
            validator: (_, value) =>
              value === getFieldValue('newPassword')
                ? Promise.resolve()
                : Promise.reject(new Error(t('account.notTheSame'))),
          }),
        ]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <SaveButton save={save}>{t('account.changePassword')}</SaveButton>
    </Form>
  )
}
