import { PlusOutlined } from '@ant-design/icons'
import { Button, Form, Input } from 'antd'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { post, remove } from '../../api/client.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { FormModal } from '../../parts/form-modal.tsx'
import { List, type ListProps, useList } from '../../parts/list.tsx'
import { useAct } from '../../parts/use-act.ts'
import { useConfirmed } from '../../parts/use-confirmed.ts'
import { Time } from '../../parts/values.tsx'
import { ExpirySelect, type Lifetime, untilAfter } from './expiry-select.tsx'

/** What programs sign in with: it has a name, may expire, and its secret is shown once. */
interface Credential {
  id: number
  name: string
  createdAt: number
  lastUsedAt: number | null
  expiresAt: number | null
}

export interface CredentialListProps<T extends Credential, Created extends T> {
  /** `/tokens`: those that there are, and where new ones are made. */
  base: string
  label: string
  empty: string
  create: string
  /** Said when one is gone. */
  removed: string
  /** What will be gone. */
  removal: (credential: T) => string
  /** Between the name and the times. */
  columns?: ListProps<T>['columns']
  /** Of a name, characters. */
  longest: number
  lifetime: Lifetime
  /** Shows what was made, with its secret. */
  shown: (created: Created | undefined, onClose: () => void) => ReactNode
}

interface Values {
  name: string
  lifetime: Lifetime
}

export function CredentialList<T extends Credential, Created extends T>(
  props: CredentialListProps<T, Created>,
) {
  const { base, columns = [], longest, lifetime } = props
  const { t } = useTranslation()
  const list = useList<T>({ path: base, whole: true })
  const [creating, setCreating] = useState(false)
  const [shown, setShown] = useState<Created>()
  const renews = [[base]]
  const create = useAct({
    act: (values: Values) =>
      post<Created>(base, { name: values.name, expiresAt: untilAfter(values.lifetime) }),
    renews,
    quiet: true,
    onDone: (created) => {
      setCreating(false)
      setShown(created)
    },
  })
  const drop = useConfirmed({
    act: ({ id }: T) => remove(`${base}/${id}`),
    done: props.removed,
    renews,
  })
  return (
    <>
      <div className="filters">
        <Button icon={<PlusOutlined />} onClick={() => setCreating(true)}>
          {props.create}
        </Button>
      </div>
      <List
        list={list}
        label={props.label}
        rowKey={({ id }) => id}
        empty={props.empty}
        columns={[
          { title: t('account.tokenName'), key: 'name', render: (_, { name }) => name },
          ...columns,
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
        ]}
        actions={(credential) => (
          <Button danger type="text" onClick={() => drop.ask(credential)}>
            {t('account.revoke')}
          </Button>
        )}
      />
      <FormModal<Values>
        open={creating}
        title={props.create}
        submit={t('common.create')}
        initial={{ lifetime }}
        act={create}
        onClose={() => setCreating(false)}
      >
        <Form.Item
          name="name"
          label={t('account.tokenName')}
          extra={t('account.tokenNameHint')}
          rules={[{ required: true, message: t('common.required') }]}
        >
          <Input autoFocus maxLength={longest} />
        </Form.Item>
        <Form.Item name="lifetime" label={t('common.expires')}>
          <ExpirySelect />
        </Form.Item>
      </FormModal>
      {props.shown(shown, () => setShown(undefined))}
      <ConfirmRemoval
        {...drop.asking}
        title={t('account.revokeTitle', { name: drop.item?.name ?? '' })}
        name={drop.item?.name}
        submit={t('account.revoke')}
      >
        {drop.item && props.removal(drop.item)}
      </ConfirmRemoval>
    </>
  )
}
