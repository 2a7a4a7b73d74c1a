import { DownloadOutlined, PlusOutlined } from '@ant-design/icons'
import { Button, Form, Input, Space, Switch } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { patch, post, remove } from '../../api/client.ts'
import type { AccessKey, CreatedAccessKey } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { csvCell } from '../../parts/csv-cell.ts'
import { FormModal } from '../../parts/form-modal.tsx'
import { List, useList } from '../../parts/list.tsx'
import { saveText } from '../../parts/save-text.ts'
import { SecretShown } from '../../parts/secret-shown.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Command, CopyButton, Time } from '../../parts/values.tsx'
import { ExpirySelect, type Lifetime, untilAfter } from './expiry-select.tsx'

interface Values {
  name: string
  lifetime: Lifetime
}

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
  const list = useList<AccessKey>({ path: base, whole: true })
  const [creating, setCreating] = useState(false)
  const [leaving, setLeaving] = useState<AccessKey>()
  const [shown, setShown] = useState<CreatedAccessKey>()
  const renews = [[base]]
  const create = useAct({
    act: ({ name, lifetime }: Values) =>
      post<CreatedAccessKey>(base, { name, expiresAt: untilAfter(lifetime) }),
    renews,
    quiet: true,
    onDone: (key) => {
      setCreating(false)
      setShown(key)
    },
  })
  const able = useAct({
    act: ({ id, disabled }: AccessKey) => patch(`${base}/${id}`, { disabled: !disabled }),
    renews,
  })
  const drop = useAct({
    act: ({ id }: AccessKey) => remove(`${base}/${id}`),
    done: t('accessKeys.deleted'),
    renews,
    quiet: true,
    onDone: () => setLeaving(undefined),
  })
  return (
    <>
      <p className="intro">{use}</p>
      <div className="filters">
        <Button icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {t('accessKeys.create')}
        </Button>
      </div>
      <List
        list={list}
        label={t('accessKeys.title')}
        rowKey={({ id }) => id}
        empty={t('accessKeys.none')}
        columns={[
          { title: t('account.tokenName'), key: 'name', render: (_, { name }) => name },
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
          ...(mayDisable
            ? [
                {
                  title: t('robots.enabled'),
                  key: 'enabled',
                  render: (_: unknown, key: AccessKey) => (
                    <Switch
                      checked={!key.disabled}
                      aria-label={t('robots.enabledOf', { name: key.name })}
                      onChange={() => able.mutate(key)}
                    />
                  ),
                },
              ]
            : []),
          {
            title: t('common.created'),
            key: 'created',
            render: (_, { createdAt }) => <Time at={createdAt} />,
          },
          {
            title: t('account.lastUsed'),
            key: 'used',
            render: (_, { lastUsedAt }) => <Time at={lastUsedAt} />,
          },
          {
            title: t('common.expires'),
            key: 'expires',
            render: (_, { expiresAt }) => <Time at={expiresAt} />,
          },
          {
            title: <span className="sr-only">{t('common.actions')}</span>,
            key: 'actions',
            align: 'right',
            fixed: 'right',
            render: (_, key) => (
              <Button danger type="text" onClick={() => setLeaving(key)}>
                {t('account.revoke')}
              </Button>
            ),
          },
        ]}
      />
      <FormModal<Values>
        open={creating}
        title={t('accessKeys.create')}
        submit={t('common.create')}
        initial={{ lifetime: 'never' }}
        busy={create.isPending}
        error={create.error}
        onSubmit={(values) => create.mutate(values)}
        onClose={() => {
          create.reset()
          setCreating(false)
        }}
      >
        <Form.Item
          name="name"
          label={t('account.tokenName')}
          extra={t('account.tokenNameHint')}
          rules={[{ required: true, message: t('common.required') }]}
        >
          <Input autoFocus maxLength={64} />
        </Form.Item>
        <Form.Item name="lifetime" label={t('common.expires')}>
          <ExpirySelect />
        </Form.Item>
      </FormModal>
      <KeyShown shown={shown} onClose={() => setShown(undefined)} />
      <ConfirmRemoval
        open={leaving !== undefined}
        title={t('account.revokeTitle', { name: leaving?.name ?? '' })}
        name={leaving?.name}
        submit={t('account.revoke')}
        busy={drop.isPending}
        error={drop.error}
        onConfirm={() => leaving && drop.mutate(leaving)}
        onClose={() => {
          drop.reset()
          setLeaving(undefined)
        }}
      >
        {t('accessKeys.deleteText', { key: leaving?.accessKey ?? '' })}
      </ConfirmRemoval>
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
