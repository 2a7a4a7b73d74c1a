import { PlusOutlined } from '@ant-design/icons'
import { Button, Form, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { post, remove } from '../../api/client.ts'
import type { ApiToken, CreatedApiToken } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { FormModal } from '../../parts/form-modal.tsx'
import { List, useList } from '../../parts/list.tsx'
import { SecretShown } from '../../parts/secret-shown.tsx'
import { useAct } from '../../parts/use-act.ts'
import { Time } from '../../parts/values.tsx'
import { ExpirySelect, type Lifetime, untilAfter } from './expiry-select.tsx'

interface Values {
  name: string
  lifetime: Lifetime
}

/** Tokens that stand in for one's password in scripts. */
export function ApiTokens() {
  const { t } = useTranslation()
  const list = useList<ApiToken>({ path: '/tokens', whole: true })
  const [creating, setCreating] = useState(false)
  const [leaving, setLeaving] = useState<ApiToken>()
  const [shown, setShown] = useState<CreatedApiToken>()
  const renews = [['/tokens']]
  const create = useAct({
    act: ({ name, lifetime }: Values) =>
      post<CreatedApiToken>('/tokens', { name, expiresAt: untilAfter(lifetime) }),
    renews,
    quiet: true,
    onDone: (token) => {
      setCreating(false)
      setShown(token)
    },
  })
  const drop = useAct({
    act: ({ id }: ApiToken) => remove(`/tokens/${id}`),
    done: t('account.tokenRevoked'),
    renews,
    quiet: true,
    onDone: () => setLeaving(undefined),
  })
  return (
    <>
      <div className="filters">
        <Button icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {t('account.createToken')}
        </Button>
      </div>
      <List
        list={list}
        label={t('account.tokens')}
        rowKey={({ id }) => id}
        empty={t('account.noTokens')}
        columns={[
          { title: t('account.tokenName'), key: 'name', render: (_, token) => token.name },
          {
            title: t('common.created'),
            key: 'created',
            render: (_, token) => <Time at={token.createdAt} />,
          },
          {
            title: t('account.lastUsed'),
            key: 'used',
            render: (_, token) => <Time at={token.lastUsedAt} />,
          },
          {
            title: t('common.expires'),
            key: 'expires',
            render: (_, token) => <Time at={token.expiresAt} />,
          },
          {
            title: <span className="sr-only">{t('common.actions')}</span>,
            key: 'actions',
            align: 'right',
            fixed: 'right',
            render: (_, token) => (
              <Button danger type="text" onClick={() => setLeaving(token)}>
                {t('account.revoke')}
              </Button>
            ),
          },
        ]}
      />
      <FormModal<Values>
        open={creating}
        title={t('account.createToken')}
        submit={t('common.create')}
        initial={{ lifetime: 'quarter' }}
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
          <Input autoFocus maxLength={128} />
        </Form.Item>
        <Form.Item name="lifetime" label={t('common.expires')}>
          <ExpirySelect />
        </Form.Item>
      </FormModal>
      <SecretShown
        secret={shown?.token}
        title={t('account.tokenOf', { name: shown?.name ?? '' })}
        onClose={() => setShown(undefined)}
      >
        <p>{t('account.tokenUse')}</p>
      </SecretShown>
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
        {t('account.revokeText')}
      </ConfirmRemoval>
    </>
  )
}
