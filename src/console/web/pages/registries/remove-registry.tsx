import { useQuery } from '@tanstack/react-query'
import { Form, Select } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ApiError, get, path, remove } from '../../api/client.ts'
import type { Registry } from '../../api/hub.ts'
import type { Page } from '../../api/types.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { inOrder } from '../../parts/in-order.ts'
import { useAct } from '../../parts/use-act.ts'

/** Deletes a registry; the default names its successor, and one in use says who uses it. */
export function RemoveRegistry(props: {
  registry: Registry | undefined
  onClose: () => void
  onDone?: () => void
}) {
  const { registry, onClose, onDone } = props
  const { t } = useTranslation()
  const [successor, setSuccessor] = useState<string>()
  const others = useQuery({
    queryKey: ['/registries', { limit: 100 }],
    queryFn: ({ signal }) => get<Page<Registry>>('/registries', { limit: 100 }, signal),
    enabled: registry?.isDefault === true,
  })
  const drop = useAct({
    act: ({ id, version }: Registry) =>
      remove(path`/registries/${id}` + (successor ? path`?successor=${successor}` : ''), version),
    done: t('hub.remove.done'),
    renews: [['/registries']],
    quiet: true,
    onDone: () => {
      setSuccessor(undefined)
      onClose()
      onDone?.()
    },
  })
  const uses = drop.error instanceof ApiError && drop.error.code === 'in_use' && drop.error.fields
  const options = (others.data?.items ?? []).filter(({ id }) => id !== registry?.id)
  return (
    <ConfirmRemoval
      open={registry !== undefined}
      title={t('hub.remove.title', { name: registry?.name ?? '' })}
      name={registry?.name}
      busy={drop.isPending}
      error={drop.error}
      onConfirm={() => registry && drop.mutate(registry)}
      onClose={() => {
        drop.reset()
        setSuccessor(undefined)
        onClose()
      }}
    >
      {t('hub.remove.text', { name: registry?.name ?? '' })}
      {registry?.isDefault && options.length > 0 && (
        <Form layout="vertical" style={{ marginTop: 12 }}>
          <Form.Item
            label={t('hub.remove.successor')}
            htmlFor="successor"
            extra={t('hub.remove.successorHint')}
          >
            <Select
              id="successor"
              value={successor ?? null}
              onChange={(id: string | null) => setSuccessor(id ?? undefined)}
              options={options.map(({ id, name }) => ({ value: id, label: name }))}
            />
          </Form.Item>
        </Form>
      )}
      {uses && uses.length > 0 && (
        <div>
          {t('hub.remove.uses')}
          <ul>
            {inOrder(uses, ({ message }) => (
              <li>{message}</li>
            ))}
          </ul>
        </div>
      )}
    </ConfirmRemoval>
  )
}
