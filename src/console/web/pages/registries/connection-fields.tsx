import { Alert, Form, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Provider } from '../../api/hub.ts'
import { PROVIDER_FORMS } from './providers.ts'

/** What is asked of a registry of this provider. */
export function ConnectionFields(props: { provider: Provider; keepsSecret: boolean }) {
  const { provider, keepsSecret } = props
  const { t } = useTranslation()
  const { address, region, namespace, user, secret, hint } = PROVIDER_FORMS[provider]
  const needed = { required: true, message: t('common.required') }
  const plain = { autoComplete: 'off', spellCheck: false }
  return (
    <>
      {hint && <Alert type="info" title={t(`hub.hints.${hint}`)} style={{ marginBottom: 16 }} />}
      {region && (
        <Form.Item
          name="region"
          label={t(`hub.fields.${region.label}`)}
          rules={region.required ? [needed] : []}
        >
          <Input {...plain} placeholder={region.example} />
        </Form.Item>
      )}
      <Form.Item name="address" label={t(`hub.fields.${address.label}`)} rules={[needed]}>
        <Input {...plain} inputMode="url" placeholder={address.example} />
      </Form.Item>
      {namespace && (
        <Form.Item
          name="namespace"
          label={t(`hub.fields.${namespace.label}`)}
          extra={<More to={namespace.help} label={t(`hub.fields.${namespace.label}`)} />}
        >
          <Input {...plain} placeholder={namespace.example} />
        </Form.Item>
      )}
      <Form.Item
        name="accessKey"
        label={t(`hub.fields.${user.label}`)}
        extra={<More to={user.help} label={t(`hub.fields.${user.label}`)} />}
      >
        <Input {...plain} placeholder={user.example} />
      </Form.Item>
      <Form.Item
        name="secretKey"
        label={t(`hub.fields.${secret.label}`)}
        extra={
          <>
            {keepsSecret && <div>{t('hub.keepSecret')}</div>}
            <More to={secret.help} label={t(`hub.fields.${secret.label}`)} />
          </>
        }
      >
        {secret.long ? (
          <Input.TextArea {...plain} rows={3} />
        ) : (
          <Input.Password autoComplete="new-password" />
        )}
      </Form.Item>
    </>
  )
}

function More({ to, label }: { to: string | undefined; label: string }) {
  const { t } = useTranslation()
  if (to === undefined) return null
  return (
    <a href={to} target="_blank" rel="noreferrer" aria-label={t('hub.moreOf', { field: label })}>
      {t('hub.more')}
    </a>
  )
}
