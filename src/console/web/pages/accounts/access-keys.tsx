import { DownloadOutlined } from '@ant-design/icons'
import { Button, Space, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { patch } from '../../api/client.ts'
import type { AccessKey, CreatedAccessKey } from '../../api/types.ts'
import { csvCell } from '../../parts/csv-cell.ts'
import { saveText } from '../../parts/save-text.ts'
import { SecretShown } from '../../parts/secret-shown.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Command, CopyButton } from '../../parts/values.tsx'
import { CredentialList } from './credential-list.tsx'

/** Pairs of keys with which programs for Huawei Cloud sign their requests. */
export function AccessKeys(props: {
  /** `/me/access-keys`, or those of a robot. */
  base: string
  /** Whose rights they have. */
  use: string
  /** One's own can be switched off for a while. */
  mayDisable?: boolean
}) {
  const { base, use, mayDisable = false } = props
  const { t } = useTranslation()
  const able = useAct({
    act: ({ id, disabled }: AccessKey) => patch(`${base}/${id}`, { disabled: !disabled }),
    renews: [[base]],
  })
  const enabled = {
    title: t('robots.enabled'),
    key: 'enabled',
    render: (_: unknown, key: AccessKey) => (
      <Switch
        checked={!key.disabled}
        aria-label={t('robots.enabledOf', { name: key.name })}
        onChange={() => able.mutate(key)}
      />
    ),
  }
  return (
    <>
      <p className="intro">{use}</p>
      <CredentialList<AccessKey, CreatedAccessKey>
        base={base}
        label={t('accessKeys.title')}
        empty={t('accessKeys.none')}
        create={t('accessKeys.create')}
        removed={t('accessKeys.deleted')}
        removal={({ accessKey }) => t('accessKeys.deleteText', { key: accessKey })}
        columns={[
          {
            title: t('accessKeys.accessKey'),
            key: 'ak',
            render: (_, { accessKey }) => (
              <span className="nowrap mono">
                {accessKey}
                <CopyButton text={accessKey} />
              </span>
            ),
          },
          ...(mayDisable ? [enabled] : []),
        ]}
        longest={64}
        lifetime="never"
        shown={(key, onClose) => <KeyShown shown={key} onClose={onClose} />}
      />
    </>
  )
}

function KeyShown(props: { shown: CreatedAccessKey | undefined; onClose: () => void }) {
  const { shown, onClose } = props
  const { t } = useTranslation()
  const save = ({ name, accessKey, secretKey }: CreatedAccessKey) =>
    saveText(
      `Name,Access Key Id,Secret Access Key\r\n${csvCell(name)},${accessKey},${secretKey}\r\n`,
      'credentials.csv',
      'text/csv;charset=utf-8',
    )
  return (
    <SecretShown
      secret={shown?.secretKey}
      title={t('accessKeys.keyOf', { name: shown?.name ?? '' })}
      label={t('accessKeys.secretKey')}
      before={
        <>
          <p className="field-label">{t('accessKeys.accessKey')}</p>
          <Command text={shown?.accessKey ?? ''} />
        </>
      }
      onClose={onClose}
    >
      <Space style={{ marginTop: 8 }}>
        <Button icon={<DownloadOutlined />} onClick={() => shown && save(shown)}>
          {t('accessKeys.download')}
        </Button>
      </Space>
    </SecretShown>
  )
}
