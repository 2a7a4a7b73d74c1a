import { Link } from '@tanstack/react-router'
import { Button, Tag } from 'antd'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import { path, remove } from '../../api/client.ts'
import type { RegistryUse } from '../../api/hub.ts'
import { ConfirmRemoval } from '../../parts/confirm-removal.tsx'
import { List, useList } from '../../parts/list.tsx'
import { ServerSaid } from '../../parts/server-said.tsx'
import { useConfirmed } from '../../parts/use-confirmed.ts'
import { Time } from '../../parts/values.tsx'

/** Who uses a registry, and who still has the keys of before their last change. */
export function UseList({ id }: { id: string }) {
  const { t } = useTranslation()
  const address = path`/registries/${id}/uses`
  const list = useList<RegistryUse>({ path: address, whole: true })
  const forget = useConfirmed({
    act: (use: RegistryUse) => remove(`${address}${path`/${use.id}`}`),
    done: t('hub.uses.forgotten'),
    renews: [[address], ['/registries', id]],
  })
  return (
    <>
      <List
        list={list}
        label={t('hub.uses.title')}
        rowKey={(use) => `${use.kind} ${use.id}`}
        empty={t('hub.uses.none')}
        columns={[
          { title: t('hub.uses.who'), key: 'what', render: (_, use) => <Who use={use} /> },
          {
            title: t('hub.uses.used'),
            key: 'at',
            render: (_, use) => <Time at={use.lastUsedAt} />,
          },
          {
            title: t('hub.uses.keys'),
            key: 'keys',
            render: (_, use) =>
              use.outdated ? (
                <Tag color="orange">{t('hub.uses.outdated')}</Tag>
              ) : (
                <Tag color="green">{t('hub.uses.current')}</Tag>
              ),
          },
        ]}
        // What is under way is ended where it is shown.
        actions={(use) =>
          use.kind === 'consumer' && (
            <Button type="text" danger onClick={() => forget.ask(use)}>
              {t('hub.uses.forget')}
            </Button>
          )
        }
      />
      <ConfirmRemoval
        {...forget.asking}
        title={t('hub.uses.forgetTitle')}
        submit={t('hub.uses.forget')}
      >
        {t('hub.uses.forgetText', {
          what: forget.item ? [forget.item.project, ...partsOf(t, forget.item)].join(' · ') : '',
        })}
      </ConfirmRemoval>
    </>
  )
}

function Who({ use }: { use: RegistryUse }) {
  const { t } = useTranslation()
  const { kind, id, what, project } = use
  if (kind === 'transfer' && project !== null) {
    return (
      <>
        <Link to="/transfers/$transfer" params={{ transfer: id }}>
          {t('hub.uses.transfer', { id })}
        </Link>
        <div className="cell-note">{project}</div>
      </>
    )
  }
  if (kind !== 'consumer' || project === null) return <ServerSaid text={what} />
  return (
    <>
      {project}
      <div className="cell-note">{partsOf(t, use).join(' · ')}</div>
    </>
  )
}

const PURPOSES = ['build', 'deploy', 'distribute', 'update'] as const

function partsOf(t: TFunction, { purpose, environment }: RegistryUse): string[] {
  const named = PURPOSES.find((one) => one === purpose)
  const said = named ? t(`hub.means.purposes.${named}`) : purpose
  return [said, environment].filter((part) => part !== null)
}
