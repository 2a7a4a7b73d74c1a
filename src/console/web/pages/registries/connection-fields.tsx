import { Form, Input } from 'antd'
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
      {hint && <p className="cell-note">{t(`hub.hints.${hint}`)}</p>}
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
          extra={
            namespace.help && (
              <More to={namespace.help} label={t(`hub.fields.${namespace.label}`)} />
            )
          }
        >
          <Input {...plain} placeholder={namespace.example} />
        </Form.Item>
      )}
      <Form.Item
        name="accessKey"
        label={t(`hub.fields.${user.label}`)}
        extra={user.help && <More to={user.help} label={t(`hub.fields.${user.label}`)} />}
      >
        <Input {...plain} placeholder={user.example} />
      </Form.Item>
      <Form.Item
        name="secretKey"
        label={t(`hub.fields.${secret.label}`)}
        extra={
          (keepsSecret || secret.help) && (
            <>
              {keepsSecret && <div>{t('hub.keepSecret')}</div>}
              <More to={secret.help} label={t(`hub.fields.${secret.label}`)} />
            </>
          )
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
    // Apart from the field below it: a finger needs room (WCAG 2.2, target size).
    <a
      href={to}
      target="_blank"
      rel="noreferrer"
      style={{ display: 'inline-block', lineHeight: '26px', marginBottom: 4 }}
    >
      {t('hub.moreOf', { field: label })}
    </a>
  )
}
